"""Splits from a CSV file."""

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
    """Read a CSV file ``image_id,split``.

    Parameters
    ----------
    table
        Table to split.
    file
        The CSV file.
    val_split_name, test_split_name
        Names of the validation and test splits in the file; all other names are training.
    checkpoint_split
        Split that selects the checkpoint.

    Raises
    ------
    DataError
        The file is missing or has other columns, a required split is not in it, an image is in two splits, or an image
        of the table is in none.
    """
    split_by_id = _read_split_csv(file)
    _check_split_names(
        split_by_id,
        file,
        required=val_split_name if checkpoint_split == "validation" else test_split_name,
        checkpoint_split=checkpoint_split,
    )
    ids = table.frame["image_id"]
    if unassigned := [image for image in ids if image not in split_by_id.index]:
        verb = "image has" if len(unassigned) == 1 else "images have"
        raise DataError(
            f"{len(unassigned):,} {verb} no split in {file}, for example {', '.join(unassigned[:5])}; "
            "add them, or remove them from the table"
        )
    canonical = {val_split_name: "validation", test_split_name: "test"}
    split_names = np.array([canonical.get(name, "train") for name in split_by_id.loc[ids]], dtype=object)
    missing = len(split_by_id) - len(table)
    caveats = [f"not in the table: {pluralize(missing, 'image')} of {file.name}"] if missing else []
    description = (
        f"{file.name}: {val_split_name!r} for validation, {test_split_name!r} for testing, "
        "the rest for training"
    )
    spec = ValidationSpec(0.0, 0, checkpoint_split)
    return add_validation_split(table, split_names, description, spec, caveats=caveats)


def _read_split_csv(file: Path) -> "pd.Series[str]":
    """Return the split of each image by ID; the column may also be named ``part``."""
    try:
        rows = read_table(file)
    except DataError as error:
        raise DataError(f"cannot read the split: {error}") from error
    column = "split" if "split" in rows else "part"
    if not {"image_id", column} <= set(rows.columns):
        raise DataError(f"the split {file} has columns {list(rows.columns)}; required: image_id, split")
    rows = rows[["image_id", column]].drop_duplicates()
    if duplicates := sorted(set(rows["image_id"][rows["image_id"].duplicated()])):
        raise DataError(
            f"the split {file} names two splits for {pluralize(len(duplicates), 'image')}, for example "
            f"{duplicates[0]}; an image belongs to one"
        )
    if not (rows[column] != "").all():
        raise DataError(f"the split {file} names no split for {rows['image_id'][rows[column] == ''].iloc[0]}")
    return rows.set_index("image_id")[column]


def _check_split_names(
    split_by_id: "pd.Series[str]", file: Path, *, required: str, checkpoint_split: CheckpointSplit
) -> None:
    if required not in set(split_by_id):
        purpose = "validate on" if checkpoint_split == "validation" else "test and select checkpoints on"
        raise DataError(
            f"the split {file} has no split {required!r} to {purpose}; it has {', '.join(sorted(set(split_by_id)))}. "
            f"Set its name with data.{'val' if checkpoint_split == 'validation' else 'test'}_split_name"
        )
