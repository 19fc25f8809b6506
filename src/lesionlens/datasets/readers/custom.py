"""One's own images: a CSV or parquet file with a row for each image, named ``table:FILE``.

It needs a column ``image``, ``image_id`` or ``path`` and a column ``label`` or ``diagnosis``; every other
column of ``LesionTable`` may be there under its own name, ``split`` also as ``part``. Paths are relative to the
file's folder.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.tabular import is_missing, read_table
from lesionlens.core.taxonomy import DIAGNOSES, canonical_name, sort_classes
from lesionlens.datasets.file_layout import ImageIndex, find_images, strip_image_suffix, unique_stems
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.table import SPLITS, TABLE_COLUMNS
from lesionlens.datasets.validation import RawTable

CUSTOM_CLASSES = (
    "or name all classes of your own: data.classes=[a,b] in a recipe, "
    '--class a --class b with data validate, classes=["a", "b"] in Python'
)


def read_labels(column: pd.Series, issues: IssueCollector, classes: Sequence[str] | None) -> pd.Series:
    """Give each row's class, ``""`` where it has none that is allowed.

    Raises
    ------
    DataError
        ``classes`` repeat one.
    """
    allowed = tuple(DIAGNOSES) if classes is None else tuple(classes)
    if len(set(allowed)) != len(allowed):
        raise DataError(f"classes {list(allowed)} name one twice; name each once")
    names = {label: _class_of_label(label, classes) for label in column.unique()}
    lines = [f"line {number + 2}" for number in range(len(column))]  # 1 the header; lines count from 1
    without = [
        line for line, label in zip(lines, column, strict=True) if not names[label] and is_missing(label)
    ]
    issues.add_error("rows without a label", without, hint="Label them, or take them out of the table.")
    strangers = [label for label, name in names.items() if not name and not is_missing(label)]
    hints = [
        unknown_name_message("label", label, allowed).split(" Allowed:")[0].rstrip(":") for label in strangers
    ]
    rows = [pluralize(int((column == label).sum()), "row") for label in strangers]
    issues.add_error(
        "labels that are not known",
        [f"{count} with {hint}" for hint, count in zip(hints, rows, strict=True)],
        hint=f"Allowed: {', '.join(allowed)}. Correct them, "
        f"{CUSTOM_CLASSES if classes is None else 'or name them among the classes'}.",
    )
    return column.map(names)


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
_SPLIT_SPELLINGS = {"training": "train", "val": "validation", "valid": "validation", "testing": "test"}
_MAX_DEPTH = 8  # levels of folders below the table in which an id is looked up


def read_custom_table(
    path: Path, issues: IssueCollector, *, classes: Sequence[str] | None = None
) -> RawTable:
    """Read a table of one's own.

    Parameters
    ----------
    path
        The CSV or parquet file.
    issues
        Where to note what is wrong.
    classes
        Exactly these labels are allowed, as they are written; None: the diagnoses of the taxonomy, in any
        usual spelling.

    Raises
    ------
    DataError
        The file cannot be read or lacks a required column; ``classes`` repeat one.
    """
    sheet = _read_file(path)
    named = _require_column(sheet, _IMAGE_COLUMNS, path, "the images' names to image")
    label = _require_column(sheet, _LABEL_COLUMNS, path, "the labels to label")
    _warn_misspelled_columns(sheet, issues)
    diagnosis = read_labels(sheet[label], issues, classes)
    rows = sheet[[name for name in _OPTIONAL_COLUMNS if name in sheet]].assign(diagnosis=diagnosis)
    rows["_unrecognized_label"] = sheet[label].where(
        diagnosis == "", ""
    )  # keeps rows apart that differ in this alone
    found, rows["image_id"] = _locate_images(sheet, named, path.parent, issues)
    rows = _resolve_mask_paths(rows, path.parent, issues)
    if "split" in rows:
        rows["split"] = _parse_splits(rows["split"], issues)
    allowed = tuple(classes) if classes is not None else sort_classes(diagnosis)
    return RawTable(rows, found, allowed, {}, warn_unlabeled_images=False)


def read_unlabeled(path: Path, issues: IssueCollector) -> pd.DataFrame | None:
    """Read a table of images that are still to be scored.

    Returns
    -------
    pandas.DataFrame or None
        ``image_id``, ``path``, ``lesion_id`` (the id where it is not told) and ``mask_path`` of each row; None
        where the table has labels, as ``read_custom_table`` is for those.

    Raises
    ------
    DataError
        The file cannot be read or names no images.
    """
    sheet = _read_file(path)
    if any(not is_missing(cell) for name in _LABEL_COLUMNS if name in sheet for cell in sheet[name].unique()):
        return None
    named = _require_column(sheet, _IMAGE_COLUMNS, path, "the images' names to image")
    found, ids = _locate_images(sheet, named, path.parent, issues)
    gone = [f"line {row}: {name!r}" for row, name in enumerate(ids, start=2) if name not in found.images]
    issues.add_error(
        "rows without an image",
        gone,
        hint=f"Looked in {found.describe_searched()}. Put the images there, or take the rows out.",
    )
    told = sheet.get("lesion_id", ids)
    lesions = told.mask(told.map(is_missing), ids)
    rows = pd.DataFrame({"image_id": ids, "path": ids.map(found.images), "lesion_id": lesions})
    rows["mask_path"] = sheet.get("mask_path", "")
    return _resolve_mask_paths(rows, path.parent, issues).drop_duplicates()


def _read_file(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table; give the table itself: {guess_table_path(path)}")
    frame = read_table(path, lowercase_columns=True)
    return frame if "split" in frame else frame.rename(columns={"part": "split"})


def guess_table_path(folder: Path) -> str:
    """Write how a table in this folder is named: the first that lies there, or else ``FILE.csv``."""
    there = (file.name for file in sorted(folder.iterdir()) if detect_custom_table(file))
    return f"table:{folder / next(there, 'FILE.csv')}"


def _require_column(frame: pd.DataFrame, names: tuple[str, ...], path: Path, contents: str) -> str:
    for name in names:
        if name in frame:
            return name
    raise DataError(
        f"{path} needs a column {' or '.join(sorted(names))}; it has {', '.join(frame.columns)}. "
        f"Rename the column that holds {contents}, or add one"
    )


def _warn_misspelled_columns(frame: pd.DataFrame, issues: IssueCollector) -> None:
    """Find misspelt columns: without its lesion_id a split would silently tear lesions apart."""
    known = (*TABLE_COLUMNS, *_IMAGE_COLUMNS, *_LABEL_COLUMNS)
    for name in frame.columns:
        near = get_close_matches(name, _OPTIONAL_COLUMNS, n=1, cutoff=0.8)
        if name not in known and near:
            issues.add_warning("columns that are not used", [f"{name!r}"], hint=f"Did you mean {near[0]!r}?")


def _locate_images(
    frame: pd.DataFrame, name_column: str, folder: Path, issues: IssueCollector
) -> tuple[ImageIndex, pd.Series]:
    """Find each row's file, by its path or else by its id anywhere below the table; give files and ids."""
    written = frame[name_column].str.replace("\\", "/", regex=False)
    direct = {cell: folder / cell for cell in written.unique() if cell and (folder / cell).is_file()}
    below = ImageIndex({}, (folder,))
    if len(direct) < written.nunique():
        below = find_images(folder, issues, depth=_MAX_DEPTH)
    ids = frame["image_id"] if "image_id" in frame else unique_stems(written)
    images = {
        name: direct.get(cell) or below.images[strip_image_suffix(cell)]
        for name, cell in zip(ids.map(strip_image_suffix), written, strict=True)
        if cell in direct or strip_image_suffix(cell) in below.images
    }
    return ImageIndex(images, below.searched), ids.map(strip_image_suffix)


def _resolve_mask_paths(rows: pd.DataFrame, folder: Path, issues: IssueCollector) -> pd.DataFrame:
    """Make the paths of masks absolute; a mask that is not there is left out."""
    for column in ("mask_path", "feature_mask_paths"):
        if column in rows:
            places = {
                cell: [folder / part for part in cell.split(";") if part] for cell in rows[column].unique()
            }
            gone = sorted(str(each) for paths in places.values() for each in paths if not each.is_file())
            issues.add_warning("masks that are not there", gone, hint="The images are used without them.")
            rows[column] = rows[column].map(
                {
                    cell: ";".join(str(each) for each in paths if each.is_file())
                    for cell, paths in places.items()
                }
            )
    return rows


def _parse_splits(column: pd.Series, issues: IssueCollector) -> pd.Series:
    plain = column.str.lower().map(lambda cell: "" if is_missing(cell) else _SPLIT_SPELLINGS.get(cell, cell))
    strangers = column[~plain.isin([*SPLITS, ""])]
    issues.add_error(
        "splits that are not known", strangers, hint=f"Allowed: {', '.join(SPLITS)}, or nothing."
    )
    return plain.where(plain.isin(SPLITS), "")


def detect_custom_table(path: Path) -> bool:
    """Tell whether this is a file that can hold a table."""
    return path.is_file() and path.suffix.lower() in _TABLE_SUFFIXES


CUSTOM_READER = DatasetReader(
    title="own table",
    read=read_custom_table,
    detect=detect_custom_table,
    license="your own",
    citation="",
    url="",
)
