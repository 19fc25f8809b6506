"""One's own images: a CSV or parquet file with a row for each image, named ``table:FILE``.

It needs a column ``image``, ``image_id`` or ``path`` and a column ``label`` or ``diagnosis``; every other
column of ``LesionTable`` may be there under its own name. Paths are relative to the file's folder.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import IMAGE_SUFFIXES, Found, find_images
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import is_missing, read_sheet
from lesionlens.data.table import COLUMNS, PARTS
from lesionlens.data.taxonomy import DIAGNOSES, canonical, in_order
from lesionlens.errors import DataError, unknown

_IMAGE_COLUMNS = ("path", "image", "image_id")
_LABEL_COLUMNS = ("diagnosis", "label")
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
    sheet = read_sheet(path, fold_case=True)
    named = _required(sheet, _IMAGE_COLUMNS, path)
    label = _required(sheet, _LABEL_COLUMNS, path)
    _warn_of_slips(sheet, problems)
    diagnosis = _labels(sheet[label], problems, classes)
    rows = sheet[[name for name in _OPTIONAL if name in sheet]].assign(diagnosis=diagnosis)
    found, rows["image_id"] = _images(sheet, named, path.parent, problems)
    rows = _masks(rows, path.parent, problems)
    if "part" in rows:
        rows["part"] = _parts(rows["part"], problems)
    allowed = tuple(classes) if classes is not None else in_order(diagnosis)
    return Draft(rows[diagnosis != ""], found, allowed, {}, strays=False)


def _required(sheet: pd.DataFrame, names: tuple[str, ...], path: Path) -> str:
    for name in names:
        if name in sheet:
            return name
    raise DataError(f"{path} needs a column {' or '.join(sorted(names))}; it has {', '.join(sheet.columns)}")


def _warn_of_slips(sheet: pd.DataFrame, problems: Problems) -> None:
    """Find misspelt columns: without its lesion_id a split would silently tear lesions apart."""
    known = (*COLUMNS, *_IMAGE_COLUMNS, *_LABEL_COLUMNS)
    for name in sheet.columns:
        near = get_close_matches(name, _OPTIONAL, n=1, cutoff=0.8)
        if name not in known and near:
            problems.warn("columns that are not used", [f"{name!r}"], do=f"Did you mean {near[0]!r}?")


def _labels(column: pd.Series, problems: Problems, classes: Sequence[str] | None) -> pd.Series:
    """Give each row's class, ``""`` where it has none that is allowed."""
    allowed = tuple(DIAGNOSES) if classes is None else tuple(classes)
    if len(set(allowed)) != len(allowed):
        raise DataError(f"classes {list(allowed)} name one twice")
    names: dict[str, str] = {}
    for label in column.unique():
        try:
            names[label] = canonical(label) if classes is None else {name: name for name in allowed}[label]
        except (DataError, KeyError):
            names[label] = ""
    lines = [f"line {number + 2}" for number in range(len(column))]  # 1 the header; lines count from 1
    without = [
        line for line, label in zip(lines, column, strict=True) if not names[label] and is_missing(label)
    ]
    problems.error("rows without a label", without, do="Label them, or take them out of the table.")
    strangers = [label for label, name in names.items() if not name and not is_missing(label)]
    hints = [unknown("label", label, allowed).split(" Allowed:")[0].rstrip(":") for label in strangers]
    problems.error(
        "labels that are not known",
        [f"{hint} {(column == label).sum()} rows" for hint, label in zip(hints, strangers, strict=True)],
        do=f"Allowed: {', '.join(allowed)}. Correct them, or name classes of your own.",
    )
    return column.map(names)


def _images(sheet: pd.DataFrame, named: str, folder: Path, problems: Problems) -> tuple[Found, pd.Series]:
    """Find each row's file, by its path or else by its id anywhere below the table; give files and ids."""
    written = sheet[named].str.replace("\\", "/", regex=False)
    direct = {cell: folder / cell for cell in written.unique() if cell and (folder / cell).is_file()}
    below = Found({}, (folder,))
    if len(direct) < written.nunique():
        below = find_images(folder, problems, depth=_DEPTH)
    ids = sheet["image_id"] if "image_id" in sheet else _ids(written)
    images = {
        name: direct.get(cell) or below.images[_stem(cell)]
        for name, cell in zip(ids.map(_stem), written, strict=True)
        if cell in direct or _stem(cell) in below.images
    }
    return Found(images, below.looked), ids.map(_stem)


def _ids(written: pd.Series) -> pd.Series:
    """Take the file's name without its suffix for the id; with its folders where names repeat."""
    stems = written.map(lambda cell: _stem(PurePosixPath(cell).name))
    repeated = pd.DataFrame({"stem": stems, "cell": written}).drop_duplicates()["stem"].duplicated().any()
    return written.map(_stem) if repeated else stems


def _stem(cell: str) -> str:
    """Drop an image's suffix; a dot elsewhere in an id stays."""
    path = PurePosixPath(cell)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else cell


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
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".parquet")


RECORD = DataSet(
    title="own table",
    read=read,
    recognise=recognise,
    licence="your own",
    citation="",
    url="",
)
