"""Shares of the lesions held out for validation and test."""

import numpy as np

from lesionlens.data.splits.holdout import ValidationSpec, holdout_indices, add_validation_split
from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


def group_holdout(
    table: LesionTable, *, val_fraction: float, test_fraction: float, seed: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Hold out by lesion (by patient where known), the classes in proportion; ``test=0`` holds none out to test.

    Raises
    ------
    DataError
        The shares leave nothing to train on, or there are too few lesions.
    """
    if val_fraction + test_fraction >= 1:
        raise DataError(f"{val_fraction:.0%} for validation and {test_fraction:.0%} for test leave nothing to train on")
    named = np.full(len(table), "train", dtype=object)
    how = "by lesion, stratified by class"
    if test_fraction:
        chosen = holdout_indices(table, np.arange(len(table)), test_fraction, seed=seed)
        named[chosen] = "test"
        how += f"; {len(chosen) / len(table):.0%} to test (seed {seed})"
    return add_validation_split(table, named, how, ValidationSpec(val_fraction / (1 - test_fraction), seed, checkpoint_split))
