"""Shares of the lesions held out for validation and test."""

import numpy as np

from lesionlens.data.splits.holdout import Selection, held_out, with_selection
from lesionlens.data.splits.split import SelectOn, Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


def grouped(
    table: LesionTable, *, validation: float, test: float, seed: int, select_on: SelectOn = "validation"
) -> Split:
    """Hold out by lesion (by patient where known), the classes in proportion; ``test=0`` holds none out to test.

    Raises
    ------
    DataError
        The shares leave nothing to train on, or there are too few lesions.
    """
    if validation + test >= 1:
        raise DataError(f"{validation:.0%} for validation and {test:.0%} for test leave nothing to train on")
    named = np.full(len(table), "train", dtype=object)
    how = "by lesion, stratified by class"
    if test:
        chosen = held_out(table, np.arange(len(table)), test, seed=seed)
        named[chosen] = "test"
        how += f"; {len(chosen) / len(table):.0%} to test (seed {seed})"
    return with_selection(table, named, how, Selection(validation / (1 - test), seed, select_on))
