"""A split from a file that says which image is in which part."""

from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.data.problems import counted
from lesionlens.data.sheet import read_sheet
from lesionlens.data.splits.holdout import Selection, with_selection
from lesionlens.data.splits.split import SelectOn, Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


def from_file(
    table: LesionTable, file: Path, *, validation: str, test: str, select_on: SelectOn = "validation"
) -> Split:
    """Read ``image_id,part``; the parts named validation and test are those, all others train.

    Raises
    ------
    DataError
        The file is missing or has other columns, a part it should hold is not in it, an image is in two parts, or
        images have no part.
    """
    part = _read(file)
    _check_parts(part, file, needed=validation if select_on == "validation" else test, role=select_on)
    ids = table.frame["image_id"]
    if without := [image for image in ids if image not in part.index]:
        verb = "image has" if len(without) == 1 else "images have"
        raise DataError(
            f"{len(without):,} {verb} no part in {file}, for example {', '.join(without[:5])}; "
            "add them, or take them out of the table"
        )
    renamed = {validation: "validation", test: "test"}
    named = np.array([renamed.get(each, "train") for each in part.loc[ids]], dtype=object)
    missing = len(part) - len(table)
    remarks = [f"not in the table: {counted(missing, 'image')} of {file.name}"] if missing else []
    how = f"{file.name}: {validation!r} validates, {test!r} tests, the rest trains"
    return with_selection(table, named, how, Selection(0.0, 0, select_on), remarks=remarks)


def _read(file: Path) -> "pd.Series[str]":
    """Give the part of each image, by id."""
    try:
        rows = read_sheet(file)
    except DataError as error:
        raise DataError(f"cannot read the split: {error}") from error
    if not {"image_id", "part"} <= set(rows.columns):
        raise DataError(f"the split {file} has columns {list(rows.columns)}; needed: image_id, part")
    rows = rows[["image_id", "part"]].drop_duplicates()
    if twice := sorted(set(rows["image_id"][rows["image_id"].duplicated()])):
        raise DataError(
            f"the split {file} names two parts for {counted(len(twice), 'image')}, for example {twice[0]}; "
            "an image belongs to one"
        )
    if not (rows["part"] != "").all():
        raise DataError(f"the split {file} names no part for {rows['image_id'][rows['part'] == ''].iloc[0]}")
    return rows.set_index("image_id")["part"]


def _check_parts(part: "pd.Series[str]", file: Path, *, needed: str, role: SelectOn) -> None:
    if needed not in set(part):
        to = "validate on" if role == "validation" else "test and select on"
        raise DataError(
            f"the split {file} has no part {needed!r} to {to}; it has {', '.join(sorted(set(part)))}. "
            f"Name the right one with data.{role}_part"
        )
