"""One's own images: a CSV or parquet file with a row for each image, named ``table:FILE``.

It needs a column ``image``, ``image_id`` or ``path`` and a column ``label`` or ``diagnosis``; every other
column of ``LesionTable`` may be there under its own name. Paths are relative to the file's folder.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.labels import read_labels
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import Found, find_images, short_names, stem
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import is_missing, read_sheet
from lesionlens.data.table import COLUMNS, PARTS
from lesionlens.data.taxonomy import in_order
from lesionlens.errors import DataError

_IMAGE_COLUMNS = ("path", "image", "image_id")
_LABEL_COLUMNS = ("diagnosis", "label")
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_OPTIONAL = tuple(name for name in COLUMNS if name not in ("image_id", "path", "diagnosis"))
_PART_SPELLINGS = {"training": "train", "val": "validation", "valid": "validation", "testing": "test"}
_DEPTH = 8  # levels of folders below the table in which an id is looked up


def read(path: Path, problems: Problems, *, classes: Sequence[str] | None = None) -> Draft:
    """Read a table of one's own.

    Parameters
    ----------
    path
        The CSV or parquet file.
    problems
        Where to note what is wrong.
    classes
        Exactly these labels are allowed, as they are written; None: the diagnoses of the taxonomy, in any
        usual spelling.

    Raises
    ------
    DataError
        The file cannot be read or lacks a required column; ``classes`` repeat one.
    """
    sheet = _sheet(path)
    named = _required(sheet, _IMAGE_COLUMNS, path, "the images' names to image")
    label = _required(sheet, _LABEL_COLUMNS, path, "the labels to label")
    _warn_of_slips(sheet, problems)
    diagnosis = read_labels(sheet[label], problems, classes)
    rows = sheet[[name for name in _OPTIONAL if name in sheet]].assign(diagnosis=diagnosis)
    rows["_stranger"] = sheet[label].where(diagnosis == "", "")  # keeps rows apart that differ in this alone
    found, rows["image_id"] = _images(sheet, named, path.parent, problems)
    rows = _masks(rows, path.parent, problems)
    if "part" in rows:
        rows["part"] = _parts(rows["part"], problems)
    allowed = tuple(classes) if classes is not None else in_order(diagnosis)
    return Draft(rows, found, allowed, {}, strays=False)


def read_unlabelled(path: Path, problems: Problems) -> pd.DataFrame | None:
    """Read a table of images that are still to be scored.

    Returns
    -------
    pandas.DataFrame or None
        ``image_id``, ``path``, ``lesion_id`` (the id where it is not told) and ``mask_path`` of each row; None
        where the table has labels, as ``read`` is for those.

    Raises
    ------
    DataError
        The file cannot be read or names no images.
    """
    sheet = _sheet(path)
    if any(not is_missing(cell) for name in _LABEL_COLUMNS if name in sheet for cell in sheet[name].unique()):
        return None
    named = _required(sheet, _IMAGE_COLUMNS, path, "the images' names to image")
    found, ids = _images(sheet, named, path.parent, problems)
    gone = [f"line {row}: {name!r}" for row, name in enumerate(ids, start=2) if name not in found.images]
    problems.error(
        "rows without an image",
        gone,
        do=f"Looked in {found.where()}. Put the images there, or take the rows out.",
    )
    told = sheet.get("lesion_id", ids)
    lesions = told.mask(told.map(is_missing), ids)
    rows = pd.DataFrame({"image_id": ids, "path": ids.map(found.images), "lesion_id": lesions})
    rows["mask_path"] = sheet.get("mask_path", "")
    return _masks(rows, path.parent, problems).drop_duplicates()


def _sheet(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table; give the table itself: {table_in(path)}")
    return read_sheet(path, fold_case=True)


def table_in(folder: Path) -> str:
    """Write how a table in this folder is named: the first that lies there, or else ``FILE.csv``."""
    there = (file.name for file in sorted(folder.iterdir()) if recognise(file))
    return f"table:{folder / next(there, 'FILE.csv')}"


def _required(sheet: pd.DataFrame, names: tuple[str, ...], path: Path, rename: str) -> str:
    for name in names:
        if name in sheet:
            return name
    raise DataError(
        f"{path} needs a column {' or '.join(sorted(names))}; it has {', '.join(sheet.columns)}. "
        f"Rename the column that holds {rename}, or add one"
    )


def _warn_of_slips(sheet: pd.DataFrame, problems: Problems) -> None:
    """Find misspelt columns: without its lesion_id a split would silently tear lesions apart."""
    known = (*COLUMNS, *_IMAGE_COLUMNS, *_LABEL_COLUMNS)
    for name in sheet.columns:
        near = get_close_matches(name, _OPTIONAL, n=1, cutoff=0.8)
        if name not in known and near:
            problems.warn("columns that are not used", [f"{name!r}"], do=f"Did you mean {near[0]!r}?")


def _images(sheet: pd.DataFrame, named: str, folder: Path, problems: Problems) -> tuple[Found, pd.Series]:
    """Find each row's file, by its path or else by its id anywhere below the table; give files and ids."""
    written = sheet[named].str.replace("\\", "/", regex=False)
    direct = {cell: folder / cell for cell in written.unique() if cell and (folder / cell).is_file()}
    below = Found({}, (folder,))
    if len(direct) < written.nunique():
        below = find_images(folder, problems, depth=_DEPTH)
    ids = sheet["image_id"] if "image_id" in sheet else short_names(written)
    images = {
        name: direct.get(cell) or below.images[stem(cell)]
        for name, cell in zip(ids.map(stem), written, strict=True)
        if cell in direct or stem(cell) in below.images
    }
    return Found(images, below.looked), ids.map(stem)


def _masks(rows: pd.DataFrame, folder: Path, problems: Problems) -> pd.DataFrame:
    """Make the paths of masks absolute; a mask that is not there is left out."""
    for column in ("mask_path", "feature_mask_paths"):
        if column in rows:
            places = {
                cell: [folder / part for part in cell.split(";") if part] for cell in rows[column].unique()
            }
            gone = sorted(str(each) for paths in places.values() for each in paths if not each.is_file())
            problems.warn("masks that are not there", gone, do="The images are used without them.")
            rows[column] = rows[column].map(
                {
                    cell: ";".join(str(each) for each in paths if each.is_file())
                    for cell, paths in places.items()
                }
            )
    return rows


def _parts(column: pd.Series, problems: Problems) -> pd.Series:
    plain = column.str.lower().map(lambda cell: "" if is_missing(cell) else _PART_SPELLINGS.get(cell, cell))
    strangers = column[~plain.isin([*PARTS, ""])]
    problems.error("parts that are not known", strangers, do=f"Allowed: {', '.join(PARTS)}, or nothing.")
    return plain.where(plain.isin(PARTS), "")


def recognise(path: Path) -> bool:
    """Tell whether this is a file that can hold a table."""
    return path.is_file() and path.suffix.lower() in _TABLE_SUFFIXES


RECORD = DataSet(
    title="own table",
    read=read,
    recognise=recognise,
    licence="your own",
    citation="",
    url="",
)
