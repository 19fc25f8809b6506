"""The split of HAM10000 of the soft-attention paper: only lesions with one image test."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from lesionlens.data.splits.holdout import Selection, with_selection
from lesionlens.data.splits.official import training_rows
from lesionlens.data.splits.split import SelectOn, Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError

EASIER = (
    "only lesions with a single image test (Datta et al. 2021): such a test part holds more nevi, and is easier, "
    "than the whole"
)


def datta2021(
    table: LesionTable, *, validation: float, test: float, seed: int, select_on: SelectOn = "validation"
) -> Split:
    """Test on a stratified share of the images whose lesion has exactly one image; everything else trains.

    The paper reports shares of 15, 20 and 30 %, and calls them shares of all images. Its own code names no seed,
    and validates on the test part (``select_on="test"``); otherwise validation is cut from training, by lesion.

    Raises
    ------
    DataError
        There are too few lesions with a single image.
    """
    rows, without = training_rows(table, "datta2021")
    tested, rare = single_image_test(
        table.frame["lesion_id"].to_numpy(dtype=str)[rows],
        table.frame["diagnosis"].to_numpy(dtype=str)[rows],
        share=test,
        seed=seed,
    )
    named = np.full(len(table), "", dtype=object)
    named[rows] = "train"
    named[rows[tested]] = "test"
    remarks = [EASIER]
    if rare:
        remarks.append(f"classes with fewer than two single-image lesions only train: {', '.join(rare)}")
    how = f"{test:.0%} of the lesions with a single image test, stratified by class (seed {seed})"
    selection = Selection(validation, seed, select_on)
    return with_selection(table, named, how, selection, left_out=without, remarks=remarks)


def single_image_test(
    lesions: NDArray[np.str_], diagnosis: NDArray[np.str_], *, share: float, seed: int
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
            eligible, test_size=share, random_state=seed, stratify=diagnosis[eligible]
        )
    except ValueError as error:
        raise DataError(
            f"{share:.0%} of {len(eligible):,} lesions with a single image cannot hold every class; "
            "give more images, another data.test, or data.split=grouped"
        ) from error
    return np.sort(chosen), rare
