"""The split of HAM10000 of the soft-attention paper: only lesions with one image test."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from lesionlens.data.splits.holdout import ValidationSpec, add_validation_split
from lesionlens.data.splits.official import rows_to_split
from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError

EASIER_TEST_SET_WARNING = (
    "only lesions with a single image test (Datta et al. 2021): such a test part holds more nevi, and is easier, "
    "than the whole"
)


def datta2021(
    table: LesionTable, *, val_fraction: float, test_fraction: float, seed: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Test on a stratified share of the images whose lesion has exactly one image; everything else trains.

    The paper reports shares of 15, 20 and 30 %, and calls them shares of all images. Its own code names no seed,
    and validates on the test part (``select_on="test"``); otherwise validation is cut from training, by lesion.

    Raises
    ------
    DataError
        There are too few lesions with a single image.
    """
    rows, without = rows_to_split(table, "datta2021")
    tested, rare = sample_single_image_lesions(
        table.frame["lesion_id"].to_numpy(dtype=str)[rows],
        table.frame["diagnosis"].to_numpy(dtype=str)[rows],
        fraction=test_fraction,
        seed=seed,
    )
    named = np.full(len(table), "", dtype=object)
    named[rows] = "train"
    named[rows[tested]] = "test"
    remarks = [EASIER_TEST_SET_WARNING]
    if rare:
        remarks.append(f"classes with fewer than two single-image lesions only train: {', '.join(rare)}")
    how = f"{test_fraction:.0%} of the lesions with a single image test, stratified by class (seed {seed})"
    selection = ValidationSpec(val_fraction, seed, checkpoint_split)
    return add_validation_split(table, named, how, selection, excluded=without, caveats=remarks)


def sample_single_image_lesions(
    lesions: NDArray[np.str_], diagnosis: NDArray[np.str_], *, fraction: float, seed: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Choose the test images among (n,) lesion ids and classes; give their places, and classes too rare for it.

    Raises
    ------
    DataError
        The share is too small, or too large, for each class to be on both sides.
    """
    single = pd.Series(lesions).groupby(lesions).transform("size").to_numpy() == 1
    counts = pd.Series(diagnosis[single]).value_counts()
    rare = tuple(sorted(set(diagnosis) - set(counts.index[counts >= 2])))
    eligible = np.flatnonzero(single & ~np.isin(diagnosis, rare))
    try:
        _, chosen = train_test_split(
            eligible, test_size=fraction, random_state=seed, stratify=diagnosis[eligible]
        )
    except ValueError as error:
        raise DataError(
            f"{fraction:.0%} of {len(eligible):,} lesions with a single image cannot hold every class; "
            "give more images, another data.test, or data.split=grouped"
        ) from error
    return np.sort(chosen), rare
