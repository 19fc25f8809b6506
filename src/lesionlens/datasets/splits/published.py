"""Splits of published protocols: Gessert et al. 2019 (patch attention) and Datta et al. 2021 (Soft-Attention).

Gessert et al. 2019, section II.A: four equal parts of HAM10000 with the same class distribution, one test split and
three folds. The list is that of the authors (``indices_tbe.pkl`` of their public repository, positions in the sorted
IDs), stored here as one letter per image. The list for their second dataset (SPC, that is derm7pt) is not public by ID
and therefore not included.

Datta et al. 2021: the test split is sampled from lesions with a single image.
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
    """Return ``test``, ``cv0``, ``cv1`` or ``cv2`` for each of the 10,015 image IDs."""
    text = files("lesionlens.datasets.splits").joinpath("gessert2019.txt").read_text(encoding="ascii")
    letters = "".join(line for line in text.splitlines() if not line.startswith("#"))
    return {
        f"ISIC_{number:07d}": _SPLIT_OF_LETTER[letter]
        for number, letter in enumerate(letters, start=_FIRST_ISIC_NUMBER)
    }


def gessert2019(
    table: LesionTable, *, fold: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Use the published splits: ``cv<fold>`` for validation, the other two folds for training, and the test split.

    A caveat reports the number of listed images that are not in the table. In ISIC 2018, only the training split is
    divided.

    Raises
    ------
    DataError
        An image is not in the published list.
    """
    rows, excluded = rows_to_split(table, "gessert2019")
    ids = table.frame["image_id"].to_numpy(dtype=str)[rows]
    published = published_folds()
    if unlisted := [image for image in ids if image not in published]:
        raise DataError(
            f"the split gessert2019 contains only HAM10000; not in it: {pluralize(len(unlisted), 'image')} of this "
            f"table, for example {', '.join(unlisted[:5])}; use another data.split, such as group_holdout"
        )
    folds = np.array([published[image] for image in ids], dtype=object)
    split_names = np.full(len(table), "", dtype=object)
    split_names[rows] = np.where(
        folds == "test", "test", np.where(folds == f"cv{fold}", "validation", "train")
    )
    missing = len(published) - len(rows)
    caveats = (
        [f"{missing:,} of the {len(published):,} images of the split are not in the table"] if missing else []
    )
    description = (
        f"the published split of Gessert et al. 2019: cv{fold} for validation, the other two for training"
    )
    spec = ValidationSpec(0.0, 0, checkpoint_split)
    return add_validation_split(table, split_names, description, spec, excluded=excluded, caveats=caveats)


EASIER_TEST_SET_WARNING = (
    "the test split contains only lesions with a single image (Datta et al. 2021): it has more nevi than the complete "
    "dataset and is easier"
)


def datta2021(
    table: LesionTable,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Hold out a stratified fraction of the lesions with exactly one image for testing; the rest is for training.

    The paper reports fractions of 15, 20 and 30 %, and calls them fractions of all images. Its code sets no seed and
    validates on the test split (``checkpoint_split="test"``); otherwise validation is held out from training by lesion.

    Raises
    ------
    DataError
        There are too few lesions with a single image.
    """
    rows, excluded = rows_to_split(table, "datta2021")
    test, rare = sample_single_image_lesions(
        table.frame["lesion_id"].to_numpy(dtype=str)[rows],
        table.frame["diagnosis"].to_numpy(dtype=str)[rows],
        fraction=test_fraction,
        seed=seed,
    )
    split_names = np.full(len(table), "", dtype=object)
    split_names[rows] = "train"
    split_names[rows[test]] = "test"
    caveats = [EASIER_TEST_SET_WARNING]
    if rare:
        caveats.append(f"classes with fewer than two single-image lesions are not tested: {', '.join(rare)}")
    description = (
        f"{test_fraction:.0%} of the lesions with a single image for testing, "
        f"stratified by class (seed {seed})"
    )
    spec = ValidationSpec(val_fraction, seed, checkpoint_split)
    return add_validation_split(table, split_names, description, spec, excluded=excluded, caveats=caveats)


def sample_single_image_lesions(
    lesions: NDArray[np.str_], diagnosis: NDArray[np.str_], *, fraction: float, seed: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Sample test images, stratified by class, from the lesions with a single image.

    Parameters
    ----------
    lesions, diagnosis
        Lesion ID and class of each image, (n,).
    fraction
        Fraction of the single-image lesions to sample.
    seed
        Random seed.

    Returns
    -------
    indices, rare_classes
        Sorted indices of the sampled images, and the classes with fewer than two single-image lesions, which are not
        sampled.

    Raises
    ------
    DataError
        The fraction is too small or too large for each class to have images in both splits.
    """
    single = pd.Series(lesions).groupby(lesions).transform("size").to_numpy() == 1
    counts = pd.Series(diagnosis[single]).value_counts()
    rare = tuple(sorted(set(diagnosis) - set(counts.index[counts >= 2])))
    eligible = np.flatnonzero(single & ~np.isin(diagnosis, rare))
    try:
        _, sampled = train_test_split(
            eligible, test_size=fraction, random_state=seed, stratify=diagnosis[eligible]
        )
    except ValueError as error:
        raise DataError(
            f"{fraction:.0%} of {len(eligible):,} lesions with a single image cannot contain every class; "
            "add images, or use another data.test_fraction or data.split=group_holdout"
        ) from error
    return np.sort(sampled), rare
