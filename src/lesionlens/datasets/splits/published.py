"""The published split of HAM10000 of the patch-attention paper: one test part, three folds.

Gessert et al. 2019, section II.A: four equal parts of the same class distribution. The list is the authors'
(``indices_tbe.pkl`` of their public repository, positions among the sorted ids), here one letter for each image.
The list for their second data set (SPC, that is derm7pt) has no public counterpart by id and is not here.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import (
    CheckpointSplit,
    DatasetSplits,
    ValidationSpec,
    add_validation_split,
)
from lesionlens.datasets.splits.strategies import rows_to_split
from lesionlens.datasets.table import LesionTable

GESSERT2019_NUM_FOLDS = 3
_FIRST_ISIC_NUMBER = 24306  # the number in HAM10000's first id
_SPLIT_OF_LETTER = {"t": "test", "0": "cv0", "1": "cv1", "2": "cv2"}


@cache
def published_folds() -> dict[str, str]:
    """Give ``test``, ``cv0``, ``cv1`` or ``cv2`` for each of the 10,015 ids."""
    text = files("lesionlens.datasets.splits").joinpath("gessert2019.txt").read_text(encoding="ascii")
    letters = "".join(line for line in text.splitlines() if not line.startswith("#"))
    return {
        f"ISIC_{_FIRST_ISIC_NUMBER + place:07d}": _SPLIT_OF_LETTER[letter]
        for place, letter in enumerate(letters)
    }


def gessert2019(
    table: LesionTable, *, fold: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Let ``cv<fold>`` validate, the other two train and the test part test.

    Images of the list that are not in the table are counted in a remark. Of ISIC 2018 the training part is used.

    Raises
    ------
    DataError
        An image is not in the published list.
    """
    rows, without = rows_to_split(table, "gessert2019")
    ids = table.frame["image_id"].to_numpy(dtype=str)[rows]
    listed = published_folds()
    if strangers := [image for image in ids if image not in listed]:
        raise DataError(
            f"the split gessert2019 is of HAM10000 alone; not in it: {pluralize(len(strangers), 'image')} of this "
            f"table, for example {', '.join(strangers[:5])}; use another data.split, such as group_holdout"
        )
    here = np.array([listed[image] for image in ids], dtype=object)
    named = np.full(len(table), "", dtype=object)
    named[rows] = np.where(here == "test", "test", np.where(here == f"cv{fold}", "validation", "train"))
    missing = len(listed) - len(rows)
    remarks = [f"{missing:,} of the split's {len(listed):,} images are not in the table"] if missing else []
    how = f"the published split of Gessert et al. 2019: cv{fold} validates, the other two train"
    return add_validation_split(
        table, named, how, ValidationSpec(0.0, 0, checkpoint_split), excluded=without, caveats=remarks
    )


EASIER_TEST_SET_WARNING = (
    "only lesions with a single image test (Datta et al. 2021): such a test part holds more nevi, and is easier, "
    "than the whole"
)


def datta2021(
    table: LesionTable,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Test on a stratified share of the images whose lesion has exactly one image; everything else trains.

    The paper reports shares of 15, 20 and 30 %, and calls them shares of all images. Its own code names no seed,
    and validates on the test part (``checkpoint_split="test"``); otherwise validation is cut from training, by lesion.

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
            "give more images, another data.test_fraction, or data.split=group_holdout"
        ) from error
    return np.sort(chosen), rare
