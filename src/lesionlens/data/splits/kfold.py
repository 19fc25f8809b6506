"""Cross-validation: fold i tests, the others train. By lesion; or by image, as a thesis reports it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.splits.holdout import ValidationSpec, stratified_group_fold, add_validation_split
from lesionlens.data.splits.official import rows_to_split
from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits
from lesionlens.data.table import LesionTable

IMAGE_LEVEL_WARNING = (
    "folds by image, as Yan 2020 (section 3.3) reports them without a word on lesions: "
    "data.split=kfold keeps the images of a lesion together"
)


def group_kfold(
    table: LesionTable,
    *,
    n_folds: int,
    fold: int,
    val_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Divide all images by lesion (by patient where known), the classes in proportion; fold ``fold`` tests.

    A class of fewer lesions than folds is missing from some test part; the remarks say so.

    Raises
    ------
    DataError
        There are fewer lesions than folds.
    """
    named = np.full(len(table), "train", dtype=object)
    named[stratified_group_fold(table, np.arange(len(table)), n_folds=n_folds, fold=fold, seed=seed)] = "test"
    how = f"fold {fold} of {n_folds} (from 0) tests, folds by lesion, stratified by class (seed {seed})"
    return add_validation_split(table, named, how, ValidationSpec(val_fraction, seed, checkpoint_split))


def image_kfold(
    table: LesionTable,
    *,
    n_folds: int,
    fold: int,
    val_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Divide the training images one by one, the classes in proportion; fold ``fold`` tests.

    Yan 2020, section 3.3: five folds of the training part of ISIC 2018, the average of which is reported. Section
    3.1: the checkpoint is chosen on the validation set; that is the challenge's where the table holds it. Where it
    does not, the thesis is silent, and a share of the training images is cut, by image as well.

    Raises
    ------
    DataError
        There are fewer images than folds.
    """
    rows, without = rows_to_split(table, "kfold-images")
    named = np.full(len(table), "", dtype=object)
    named[rows] = "train"
    named[rows[stratified_group_fold(table, rows, n_folds=n_folds, fold=fold, seed=seed, by_image=True)]] = "test"
    without = _official_validation(table, named, without)
    how = f"fold {fold} of {n_folds} (from 0) tests, folds by image, stratified by class (seed {seed})"
    selection = ValidationSpec(val_fraction, seed, checkpoint_split, by_image=True)
    return add_validation_split(table, named, how, selection, excluded=without, caveats=[IMAGE_LEVEL_WARNING])


def _official_validation(
    table: LesionTable, split_names: NDArray[np.object_], excluded: Mapping[int, str]
) -> Mapping[int, str]:
    """Let the official validation part validate; give what is still left out."""
    official = table.frame["part"].to_numpy(dtype=object) == "validation"
    split_names[official] = "validation"
    return {row: reason for row, reason in excluded.items() if not official[row]}
