"""Splits from a file that says which image is in which."""

from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import (
    CheckpointSplit,
    DatasetSplits,
    ValidationSpec,
    add_validation_split,
)
from lesionlens.datasets.table import LesionTable


def splits_from_csv(
    table: LesionTable,
    file: Path,
    *,
    val_split_name: str,
    test_split_name: str,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Read ``image_id,split``; the parts named validation and test are those, all others train.

    Raises
    ------
    DataError
        The file is missing or has other columns, a part it should hold is not in it, an image is in two parts, or
        images have no part.
    """
    part = _read_split_csv(file)
    _check_split_names(
        part,
        file,
        required=val_split_name if checkpoint_split == "validation" else test_split_name,
        checkpoint_split=checkpoint_split,
    )
    ids = table.frame["image_id"]
    if without := [image for image in ids if image not in part.index]:
        verb = "image has" if len(without) == 1 else "images have"
        raise DataError(
            f"{len(without):,} {verb} no part in {file}, for example {', '.join(without[:5])}; "
            "add them, or take them out of the table"
        )
    renamed = {val_split_name: "validation", test_split_name: "test"}
    named = np.array([renamed.get(each, "train") for each in part.loc[ids]], dtype=object)
    missing = len(part) - len(table)
    remarks = [f"not in the table: {pluralize(missing, 'image')} of {file.name}"] if missing else []
    how = f"{file.name}: {val_split_name!r} validates, {test_split_name!r} tests, the rest trains"
    return add_validation_split(table, named, how, ValidationSpec(0.0, 0, checkpoint_split), caveats=remarks)


def _read_split_csv(file: Path) -> "pd.Series[str]":
    """Give the split of each image, by id; its column may also be named ``part``."""
    try:
        rows = read_table(file)
    except DataError as error:
        raise DataError(f"cannot read the split: {error}") from error
    column = "split" if "split" in rows else "part"
    if not {"image_id", column} <= set(rows.columns):
        raise DataError(f"the split {file} has columns {list(rows.columns)}; needed: image_id, split")
    rows = rows[["image_id", column]].drop_duplicates()
    if twice := sorted(set(rows["image_id"][rows["image_id"].duplicated()])):
        raise DataError(
            f"the split {file} names two splits for {pluralize(len(twice), 'image')}, for example {twice[0]}; "
            "an image belongs to one"
        )
    if not (rows[column] != "").all():
        raise DataError(f"the split {file} names no split for {rows['image_id'][rows[column] == ''].iloc[0]}")
    return rows.set_index("image_id")[column]


def _check_split_names(
    split_by_id: "pd.Series[str]", file: Path, *, required: str, checkpoint_split: CheckpointSplit
) -> None:
    if required not in set(split_by_id):
        to = "validate on" if checkpoint_split == "validation" else "test and select on"
        raise DataError(
            f"the split {file} has no part {required!r} to {to}; it has {', '.join(sorted(set(split_by_id)))}. "
            f"Name the right one with data.{'val' if checkpoint_split == 'validation' else 'test'}_split_name"
        )
