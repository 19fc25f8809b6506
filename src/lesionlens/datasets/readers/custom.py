"""Custom images: a CSV or Parquet file with one row per image, specified as ``table:FILE``.

Required are a column ``image``, ``image_id`` or ``path`` and a column ``label`` or ``diagnosis``. Every other column of
``LesionTable`` is optional; ``COLUMN_NAMES`` lists other names. ``part``, and any column of names of splits, is
accepted for ``split``. Paths are relative to the directory of the file.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.missing import is_missing, is_missing_group
from lesionlens.core.tabular import NESTED_COLUMNS, normalize_column_name, read_table
from lesionlens.core.taxonomy import DIAGNOSES, canonical_or_raw, match_class, sort_classes
from lesionlens.datasets.file_layout import ImageIndex, check_alternatives
from lesionlens.datasets.issues import MAX_EXAMPLES, IssueCollector, pluralize
from lesionlens.datasets.near_misses import describe_near_miss
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.readers.custom_files import locate_images, resolve_mask_paths
from lesionlens.datasets.split_names import canonical_split_name, looks_like_splits, use_split_column
from lesionlens.datasets.table import SPLITS, TABLE_COLUMNS
from lesionlens.datasets.table_columns import (
    COLUMN_NAMES,
    is_known_column,
    misspelled_columns,
    rename_columns,
    unused_columns,
)
from lesionlens.datasets.validation import RawTable

LabelPolicy = Literal["required", "optional"]
CUSTOM_CLASSES = (
    "or list all custom classes: data.classes=[a,b] in a recipe, "
    '--class a --class b with the commands of data, classes=["a", "b"] in Python'
)


def match_labels(column: pd.Series, issues: IssueCollector, classes: Sequence[str]) -> pd.Series:
    """Return the class or else the known diagnosis of each row, ``""`` with a warning if there is none."""
    names = {label: match_class(label, classes) or _class_of_label(label, None) for label in column.unique()}
    unknown = column[(column.map(names) == "") & ~column.map(is_missing)]
    issues.add_warning(
        "labels that are not used",
        [f"{label!r} ({pluralize(count, 'row')})" for label, count in Counter(unknown).items()],
        hint="They are not known diagnoses, and nothing here needs them.",
    )
    return column.map(names)


def read_labels(column: pd.Series, issues: IssueCollector, classes: Sequence[str] | None) -> pd.Series:
    """Return the class of each row, ``""`` if its label is missing or not allowed.

    Raises
    ------
    DataError
        ``classes`` contain a duplicate, or two names of one diagnosis.
    """
    allowed = tuple(DIAGNOSES) if classes is None else tuple(classes)
    _check_distinct(allowed)
    names = {label: _class_of_label(label, classes) for label in column.unique()}
    unlabeled = [
        f"line {line}" for line, label in enumerate(column, start=2) if not names[label] and is_missing(label)
    ]
    issues.add_error("rows without a label", unlabeled, hint="Label them, or remove them from the table.")
    unknown = [label for label, name in names.items() if not name and not is_missing(label)]
    counts = Counter(column)
    issues.add_error(
        "unknown labels",
        (
            _unknown_label_message(label, counts[label], allowed) if index < MAX_EXAMPLES else label
            for index, label in enumerate(unknown)  # similar names are searched only for those that are shown
        ),
        hint=f"Allowed: {', '.join(allowed)}. Correct them, "
        f"{CUSTOM_CLASSES if classes is None else 'or add them to the classes'}.",
    )
    return column.map(names)


def _check_distinct(classes: Sequence[str]) -> None:
    """Raise an error if a class is listed twice, also in another spelling: melanoma and MEL."""
    first: dict[str, str] = {}
    for name in classes:
        if canonical_or_raw(name) in first:
            raise DataError(
                f"classes {list(classes)} contain a duplicate, {first[canonical_or_raw(name)]} and {name}; list each "
                "class once"
            )
        first[canonical_or_raw(name)] = name


def _unknown_label_message(label: str, count: int, allowed: Sequence[str]) -> str:
    message = unknown_name_message("label", label, allowed).split(" Allowed:")[0].rstrip(":")
    return f"{pluralize(count, 'row')} with {message}"


def _class_of_label(label: str, classes: Sequence[str] | None) -> str:
    if classes is not None:
        return match_class(label, classes)
    name = canonical_or_raw(label)
    return name if name in DIAGNOSES else ""


_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_OPTIONAL_COLUMNS = tuple(name for name in TABLE_COLUMNS if name not in ("image_id", "path", "diagnosis"))


def read_custom_table(
    path: Path,
    issues: IssueCollector,
    *,
    classes: Sequence[str] | None = None,
    labels: LabelPolicy = "required",
) -> RawTable:
    """Read a custom table.

    Parameters
    ----------
    path
        CSV or Parquet file.
    issues
        Collector of errors and warnings.
    classes
        Allowed labels, in any spelling of ``match_class``. Default: the diagnoses of the taxonomy.
    labels
        ``optional``: labels may be missing or unknown, and ``classes`` are allowed next to the taxonomy.

    Raises
    ------
    DataError
        The file cannot be read or lacks a required column, or ``classes`` contain a duplicate.
    """
    is_required = labels == "required"
    table = _read_file(path, issues, required=("image_id", "diagnosis") if is_required else ("image_id",))
    if is_required:
        diagnosis = read_labels(table["diagnosis"], issues, classes)
    else:
        table = table if "diagnosis" in table else table.assign(diagnosis="")
        diagnosis = match_labels(table["diagnosis"], issues, classes or ())
    rows = table[[name for name in _OPTIONAL_COLUMNS if name in table]].assign(diagnosis=diagnosis)
    # Rows that differ only in an unknown label must not count as duplicates.
    rows["_unrecognized_label"] = table["diagnosis"].where(diagnosis == "", "")
    images, rows["image_id"] = locate_images(table, path.parent)
    rows = resolve_mask_paths(rows, path.parent, issues)
    if "split" in rows:
        rows["split"] = _parse_splits(rows["split"], issues)
    own = [name for name in classes or () if is_required or (diagnosis == name).any()]
    known = sort_classes(diagnosis) if classes is None or not is_required else ()
    table_classes = tuple(dict.fromkeys((*own, *known)))
    return RawTable(rows, images, table_classes, {}, warn_unlabeled_images=False, labels_required=is_required)


def read_images(path: Path, issues: IssueCollector) -> pd.DataFrame:
    """Read a table of images for inference, with labels as they are written.

    Rows without an image are an error in a table without labels; otherwise they are excluded with a warning.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``path``, ``lesion_id`` (the image ID if unknown), ``label`` (``""`` if there is none) and
        ``mask_path`` of each row.

    Raises
    ------
    DataError
        The file cannot be read or has no column of images.
    """
    table = _read_file(path, issues, required=("image_id",))
    index, ids = locate_images(table, path.parent)
    rows = pd.DataFrame({"image_id": ids, "path": ids.map(index.images)})
    lesions = table.get("lesion_id", ids)
    rows["lesion_id"] = lesions.mask(lesions.map(is_missing_group), ids)
    rows["label"], rows["mask_path"] = table.get("diagnosis", ""), table.get("mask_path", "")
    has_image = ids.isin(index.images.keys())
    missing = {line: name for line, name in enumerate(ids, start=2) if name not in index.images}
    _report_missing_images(missing, index, issues, is_labeled=not rows["label"].map(is_missing).all())
    check_alternatives(index, ids[has_image].tolist(), issues)
    rows = resolve_mask_paths(rows[has_image], path.parent, issues).drop_duplicates()
    conflicting = rows["image_id"][rows["image_id"].duplicated()].unique()
    issues.add_error(
        "ids with conflicting rows", conflicting, hint="Keep one row per image, with a unique id."
    )
    return rows


def _report_missing_images(
    missing: Mapping[int, str], index: ImageIndex, issues: IssueCollector, *, is_labeled: bool
) -> None:
    """Report the rows without an image: the name in each line."""
    near_miss = describe_near_miss(list(missing.values()), index.unmatched)
    hint = f"Searched {index.describe_searched()}. {near_miss}"
    cases = [f"line {line}: {name!r}" for line, name in missing.items()]
    if is_labeled and index.images:
        issues.add_warning("rows without an image", cases, hint=f"{hint}They are excluded.")
    else:
        issues.add_error(
            "rows without an image", cases, hint=f"{hint}Put the images there, or remove the rows."
        )


def _read_file(path: Path, issues: IssueCollector, *, required: Sequence[str]) -> pd.DataFrame:
    """Read a table with the required columns, rename them to those of ``LesionTable``, and report unused ones."""
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table; name the table: {guess_table_path(path)}")
    table = use_split_column(read_table(path, normalize_columns=True))
    if missing := [message for content in required if (message := _missing_column(table, content, path))]:
        raise DataError("\n".join(missing))
    _report_columns(table, issues)
    return rename_columns(table)


def guess_table_path(folder: Path) -> str:
    """Return ``table:PATH`` of the first table in a directory, or of ``FILE.csv`` if there is none."""
    names = (file.name for file in sorted(folder.iterdir()) if detect_custom_table(file))
    return f"table:{folder / next(names, 'FILE.csv')}"


def _missing_column(frame: pd.DataFrame, content: str, path: Path) -> str:
    """Return a message if the table has no column of image names (``image_id``) or of labels (``diagnosis``)."""
    columns = COLUMN_NAMES[content] + (COLUMN_NAMES["path"] if content == "image_id" else ())
    if any(name in frame for name in columns):
        return ""
    needs, names = _REQUIRED[content]
    nested = [(name, kind) for name, kind in frame.attrs.get(NESTED_COLUMNS, ()) if name.lower() in columns]
    hint = f"Rename the column with the {names}, or add one"
    if nested:
        hint = (
            f"Its column {nested[0][0]} holds {nested[0][1]}, not text: write them to files or columns first"
        )
    return f"{path} needs a column {needs}; it has {', '.join(frame.columns)}. {hint}"


_REQUIRED = {
    "image_id": ("image or image_id or path", "image names to image"),
    "diagnosis": ("diagnosis or label", "labels to label"),
}


def _report_columns(frame: pd.DataFrame, issues: IssueCollector) -> None:
    """Report columns that are not used: misspelled, or stating the same as another one.

    Without ``lesion_id``, splits would silently separate the images of one lesion.
    """
    unused = [f"{name!r}" for name in frame.columns if looks_like_splits(frame[name])]
    issues.add_warning(
        "columns that look like splits are not used",
        unused if "split" not in frame else [],
        hint="Write train, validation or test into a column split, or into a split file for data.split.",
    )
    nested = [
        f"{name!r}, because it holds {kind}, not text"
        for name, kind in frame.attrs.get(NESTED_COLUMNS, ())
        if is_known_column(normalize_column_name(name))
    ]
    issues.add_warning("columns that are not used", nested)
    for name, near in misspelled_columns(frame):
        consequence = "" if near != "lesion_id" else " (without it, every image is its own lesion)"
        issues.add_warning("columns that are not used", [f"{name!r}, did you mean {near!r}?{consequence}"])
    for column in unused_columns(frame):
        if column.is_error and column.differences:
            issues.add_error(
                f"rows in which {column.used} and {column.name} differ",
                column.differences,
                hint="Correct the rows, or remove one of the columns.",
            )
        else:
            differ = f" and differs in {pluralize(len(column.differences), 'row')}" * bool(column.differences)
            issues.add_warning(
                "columns that are not used", [f"{column.name!r}, because {column.used!r} is used{differ}"]
            )


def _parse_splits(column: pd.Series, issues: IssueCollector) -> pd.Series:
    names = column.map(canonical_split_name)
    unknown = column[(names == "") & ~column.map(is_missing)]
    listed = [f"{name!r} ({pluralize(count, 'row')})" for name, count in Counter(unknown).items()]
    issues.add_error("unknown splits", listed, hint=f"Allowed: {', '.join(SPLITS)}, or an empty cell.")
    return names


def detect_custom_table(path: Path) -> bool:
    """Return whether a path is a file that can contain a table."""
    return path.is_file() and path.suffix.lower() in _TABLE_SUFFIXES


CUSTOM_READER = DatasetReader(
    title="Custom table",
    read=read_custom_table,
    detect=detect_custom_table,
    license="your own",
    citation="",
    url="",
)
