"""Strategies that divide a table: the official splits, a hold-out by lesion, folds by lesion or by image."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import (
    CheckpointSplit,
    DatasetSplits,
    ValidationSpec,
    add_validation_split,
    holdout_indices,
    stratified_group_fold,
)
from lesionlens.datasets.table import LesionTable


def group_holdout(
    table: LesionTable,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Hold out by lesion (by patient where known), the classes in proportion.

    ``test_fraction=0`` holds none out to test.

    Raises
    ------
    DataError
        The shares leave nothing to train on, or there are too few lesions.
    """
    if val_fraction + test_fraction >= 1:
        raise DataError(
            f"{val_fraction:.0%} for validation and {test_fraction:.0%} for test leave nothing to train on"
        )
    named = np.full(len(table), "train", dtype=object)
    how = "by lesion, stratified by class"
    if test_fraction:
        chosen = holdout_indices(table, np.arange(len(table)), test_fraction, seed=seed)
        named[chosen] = "test"
        how += f"; {len(chosen) / len(table):.0%} to test (seed {seed})"
    return add_validation_split(
        table, named, how, ValidationSpec(val_fraction / (1 - test_fraction), seed, checkpoint_split)
    )


def official_splits(
    table: LesionTable, *, val_fraction: float, seed: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Take the parts that the data set names; cut validation from training, by lesion, where it has none.

    Where the test part selects and ``val_fraction`` is 0, nothing is held out: the data set's own validation part
    trains too, as Gessert et al. 2019, section II.A, have it on derm7pt.

    Raises
    ------
    DataError
        The data set names no parts.
    """
    named = table.frame["split"].to_numpy(dtype=object)
    if not (named == "train").any():
        raise DataError(
            f"{table.name} has no official training part; use data.split=group_holdout or data.split=FILE.csv"
        )
    without = dict.fromkeys(np.flatnonzero(named == "").tolist(), "in no official part")
    how = "the data set's official parts"
    if checkpoint_split == "test" and val_fraction == 0 and (named == "validation").any():
        named = np.where(named == "validation", "train", named)
        how += ", that for validation trains too"
    return add_validation_split(
        table, named, how, ValidationSpec(val_fraction, seed, checkpoint_split), excluded=without
    )


def rows_to_split(table: LesionTable, protocol: str) -> tuple[NDArray[np.int64], Mapping[int, str]]:
    """Give the rows that a protocol divides: the official training part, or all where no part is named.

    The challenge's later validation and test images are no part of a protocol on its training images; they come
    second, with the reason.
    """
    named = table.frame["split"].to_numpy(dtype=object)
    if not (named == "train").any():
        return np.arange(len(table)), {}
    others = np.flatnonzero(named != "train")
    reason = f"not in the official training part, which {protocol} divides"
    return np.flatnonzero(named == "train"), dict.fromkeys(others.tolist(), reason)


IMAGE_LEVEL_WARNING = (
    "folds by image, as Yan 2020 (section 3.3) reports them without a word on lesions: "
    "data.split=group_kfold keeps the images of a lesion together"
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
    rows, without = rows_to_split(table, "image_kfold")
    named = np.full(len(table), "", dtype=object)
    named[rows] = "train"
    named[rows[stratified_group_fold(table, rows, n_folds=n_folds, fold=fold, seed=seed, by_image=True)]] = (
        "test"
    )
    without = _official_validation(table, named, without)
    how = f"fold {fold} of {n_folds} (from 0) tests, folds by image, stratified by class (seed {seed})"
    selection = ValidationSpec(val_fraction, seed, checkpoint_split, by_image=True)
    return add_validation_split(table, named, how, selection, excluded=without, caveats=[IMAGE_LEVEL_WARNING])


def _official_validation(
    table: LesionTable, split_names: NDArray[np.object_], excluded: Mapping[int, str]
) -> Mapping[int, str]:
    """Let the official validation part validate; give what is still left out."""
    official = table.frame["split"].to_numpy(dtype=object) == "validation"
    split_names[official] = "validation"
    return {row: reason for row, reason in excluded.items() if not official[row]}
