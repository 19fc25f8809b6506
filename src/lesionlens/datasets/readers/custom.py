"""Custom images: a CSV or Parquet file with one row per image, specified as ``table:FILE``.

Required are a column ``image``, ``image_id`` or ``path`` and a column ``label`` or ``diagnosis``. Every other column of
``LesionTable`` is optional; ``part``, and any column of names of splits, is accepted for ``split``. Paths are relative
to the directory of the file.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import DIAGNOSES, canonical_name, sort_classes
from lesionlens.datasets.file_layout import ImageIndex, find_images, strip_image_suffix, unique_stems
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.split_names import UNUSED_SPLIT_COLUMNS, canonical_split_name, use_split_column
from lesionlens.datasets.table import SPLITS, TABLE_COLUMNS
from lesionlens.datasets.validation import RawTable

CUSTOM_CLASSES = (
    "or list all custom classes: data.classes=[a,b] in a recipe, "
    '--class a --class b with data validate, classes=["a", "b"] in Python'
)


def read_labels(column: pd.Series, issues: IssueCollector, classes: Sequence[str] | None) -> pd.Series:
    """Return the class of each row, ``""`` if its label is missing or not allowed.

    Raises
    ------
    DataError
        ``classes`` contain a duplicate.
    """
    allowed = tuple(DIAGNOSES) if classes is None else tuple(classes)
    if len(set(allowed)) != len(allowed):
        raise DataError(f"classes {list(allowed)} contain a duplicate; list each class once")
    names = {label: _class_of_label(label, classes) for label in column.unique()}
    unlabeled = [
        f"line {line}" for line, label in enumerate(column, start=2) if not names[label] and is_missing(label)
    ]
    issues.add_error("rows without a label", unlabeled, hint="Label them, or remove them from the table.")
    unknown = [label for label, name in names.items() if not name and not is_missing(label)]
    issues.add_error(
        "unknown labels",
        [_unknown_label_message(column, label, allowed) for label in unknown],
        hint=f"Allowed: {', '.join(allowed)}. Correct them, "
        f"{CUSTOM_CLASSES if classes is None else 'or add them to the classes'}.",
    )
    return column.map(names)


def _unknown_label_message(column: pd.Series, label: str, allowed: Sequence[str]) -> str:
    count = pluralize(int((column == label).sum()), "row")
    message = unknown_name_message("label", label, allowed).split(" Allowed:")[0].rstrip(":")
    return f"{count} with {message}"


def _class_of_label(label: str, classes: Sequence[str] | None) -> str:
    if classes is not None:
        return label if label in classes else ""
    try:
        return canonical_name(label)
    except DataError:
        return ""


_IMAGE_COLUMNS = ("path", "image", "image_id")
_LABEL_COLUMNS = ("diagnosis", "label")
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_OPTIONAL_COLUMNS = tuple(name for name in TABLE_COLUMNS if name not in ("image_id", "path", "diagnosis"))
_MAX_DEPTH = 8  # levels of directories below the table that are searched for an ID


def read_custom_table(
    path: Path, issues: IssueCollector, *, classes: Sequence[str] | None = None
) -> RawTable:
    """Read a custom table.

    Parameters
    ----------
    path
        CSV or Parquet file.
    issues
        Collector of errors and warnings.
    classes
        Allowed labels, matched exactly. Default: the diagnoses of the taxonomy, in any usual spelling.

    Raises
    ------
    DataError
        The file cannot be read or lacks a required column, or ``classes`` contain a duplicate.
    """
    table = _read_file(path)
    image_column = _require_column(table, _IMAGE_COLUMNS, path, "the image names to image")
    label_column = _require_column(table, _LABEL_COLUMNS, path, "the labels to label")
    _warn_misspelled_columns(table, issues)
    diagnosis = read_labels(table[label_column], issues, classes)
    rows = table[[name for name in _OPTIONAL_COLUMNS if name in table]].assign(diagnosis=diagnosis)
    # Rows that differ only in an unknown label must not count as duplicates.
    rows["_unrecognized_label"] = table[label_column].where(diagnosis == "", "")
    images, rows["image_id"] = _locate_images(table, image_column, path.parent, issues)
    rows = _resolve_mask_paths(rows, path.parent, issues)
    if "split" in rows:
        rows["split"] = _parse_splits(rows["split"], issues)
    table_classes = tuple(classes) if classes is not None else sort_classes(diagnosis)
    return RawTable(rows, images, table_classes, {}, warn_unlabeled_images=False)


def read_unlabeled(path: Path, issues: IssueCollector) -> pd.DataFrame | None:
    """Read a table of images without labels, for inference.

    Returns
    -------
    pandas.DataFrame or None
        ``image_id``, ``path``, ``lesion_id`` (the image ID if unknown) and ``mask_path`` of each row. None if the
        table has labels; then use ``read_custom_table``.

    Raises
    ------
    DataError
        The file cannot be read or has no column of images.
    """
    table = _read_file(path)
    if any(not is_missing(cell) for name in _LABEL_COLUMNS if name in table for cell in table[name].unique()):
        return None
    image_column = _require_column(table, _IMAGE_COLUMNS, path, "the image names to image")
    index, ids = _locate_images(table, image_column, path.parent, issues)
    missing = [f"line {line}: {name!r}" for line, name in enumerate(ids, start=2) if name not in index.images]
    issues.add_error(
        "rows without an image",
        missing,
        hint=f"Searched {index.describe_searched()}. Put the images there, or remove the rows.",
    )
    lesions = table.get("lesion_id", ids)
    lesions = lesions.mask(lesions.map(is_missing), ids)
    rows = pd.DataFrame({"image_id": ids, "path": ids.map(index.images), "lesion_id": lesions})
    rows["mask_path"] = table.get("mask_path", "")
    return _resolve_mask_paths(rows, path.parent, issues).drop_duplicates()


def _read_file(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table; name the table: {guess_table_path(path)}")
    return use_split_column(read_table(path, lowercase_columns=True))


def guess_table_path(folder: Path) -> str:
    """Return ``table:PATH`` of the first table in a directory, or of ``FILE.csv`` if there is none."""
    names = (file.name for file in sorted(folder.iterdir()) if detect_custom_table(file))
    return f"table:{folder / next(names, 'FILE.csv')}"


def _require_column(frame: pd.DataFrame, names: tuple[str, ...], path: Path, contents: str) -> str:
    for name in names:
        if name in frame:
            return name
    raise DataError(
        f"{path} needs a column {' or '.join(sorted(names))}; it has {', '.join(frame.columns)}. "
        f"Rename the column with {contents}, or add one"
    )


def _warn_misspelled_columns(frame: pd.DataFrame, issues: IssueCollector) -> None:
    """Warn about misspelled columns: without ``lesion_id``, splits would silently separate images of one lesion."""
    known = (*TABLE_COLUMNS, *_IMAGE_COLUMNS, *_LABEL_COLUMNS)
    has_split = "split" in frame
    unused = [f"{name!r}" for name in frame.columns if not has_split and UNUSED_SPLIT_COLUMNS.fullmatch(name)]
    issues.add_warning(
        "columns that look like splits are not used",
        unused,
        hint="Write train, validation or test into a column split, or into a split file for data.split.",
    )
    for name in frame.columns:
        near = get_close_matches(name, _OPTIONAL_COLUMNS, n=1, cutoff=0.8)
        if name not in known and near:
            issues.add_warning("unused columns", [f"{name!r}"], hint=f"Did you mean {near[0]!r}?")


def _locate_images(
    frame: pd.DataFrame, name_column: str, folder: Path, issues: IssueCollector
) -> tuple[ImageIndex, pd.Series]:
    """Find the file of each row, by its path or by its ID anywhere below the directory; return files and IDs."""
    names = frame[name_column].str.replace("\\", "/", regex=False)
    by_path = {name: folder / name for name in names.unique() if name and (folder / name).is_file()}
    by_id = ImageIndex({}, (folder,))
    if len(by_path) < names.nunique():
        by_id = find_images(folder, issues, depth=_MAX_DEPTH)
    ids = (frame["image_id"] if "image_id" in frame else unique_stems(names)).map(strip_image_suffix)
    images = {
        image_id: by_path.get(name) or by_id.images[strip_image_suffix(name)]
        for image_id, name in zip(ids, names, strict=True)
        if name in by_path or strip_image_suffix(name) in by_id.images
    }
    return ImageIndex(images, by_id.searched), ids


def _resolve_mask_paths(rows: pd.DataFrame, folder: Path, issues: IssueCollector) -> pd.DataFrame:
    """Make the mask paths absolute, and drop those that do not exist."""
    for column in ("mask_path", "feature_mask_paths"):
        if column not in rows:
            continue
        paths = {cell: [folder / name for name in cell.split(";") if name] for cell in rows[column].unique()}
        existing = {cell: [path for path in files if path.is_file()] for cell, files in paths.items()}
        missing = sorted(
            str(path) for cell, files in paths.items() for path in files if path not in existing[cell]
        )
        issues.add_warning("missing masks", missing, hint="The images are used without them.")
        rows[column] = rows[column].map({cell: ";".join(map(str, files)) for cell, files in existing.items()})
    return rows


def _parse_splits(column: pd.Series, issues: IssueCollector) -> pd.Series:
    names = column.map(canonical_split_name)
    unknown = column[(names == "") & ~column.map(is_missing)]
    issues.add_error("unknown splits", unknown, hint=f"Allowed: {', '.join(SPLITS)}, or an empty cell.")
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
