"""The parts that a data set names itself."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.splits.holdout import ValidationSpec, add_validation_split
from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


def official_splits(
    table: LesionTable, *, val_fraction: float, seed: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Take the parts that the data set names; cut validation from training, by lesion, where it has none.

    Where the test part selects and ``val_fraction`` is 0, nothing is held out: the data set's own validation part trains
    too, as Gessert et al. 2019, section II.A, have it on derm7pt.

    Raises
    ------
    DataError
        The data set names no parts.
    """
    named = table.frame["part"].to_numpy(dtype=object)
    if not (named == "train").any():
        raise DataError(
            f"{table.name} has no official training part; use data.split=grouped or data.split=FILE.csv"
        )
    without = dict.fromkeys(np.flatnonzero(named == "").tolist(), "in no official part")
    how = "the data set's official parts"
    if checkpoint_split == "test" and val_fraction == 0 and (named == "validation").any():
        named = np.where(named == "validation", "train", named)
        how += ", that for validation trains too"
    return add_validation_split(table, named, how, ValidationSpec(val_fraction, seed, checkpoint_split), excluded=without)


def rows_to_split(table: LesionTable, protocol: str) -> tuple[NDArray[np.int64], Mapping[int, str]]:
    """Give the rows that a protocol divides: the official training part, or all where no part is named.

    The challenge's later validation and test images are no part of a protocol on its training images; they come
    second, with the reason.
    """
    named = table.frame["part"].to_numpy(dtype=object)
    if not (named == "train").any():
        return np.arange(len(table)), {}
    others = np.flatnonzero(named != "train")
    reason = f"not in the official training part, which {protocol} divides"
    return np.flatnonzero(named == "train"), dict.fromkeys(others.tolist(), reason)
