"""Split strategies: official splits, hold-out by lesion, and folds by lesion or by image."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import (
    CheckpointSplit,
    DatasetSplits,
    ValidationSpec,
    add_validation_split,
    holdout_indices,
    stratified_group_fold,
)
from lesionlens.datasets.table import LesionTable


def choose_strategy(table: LesionTable) -> str:
    """Return the split of ``auto``: ``official`` if the table has official splits, otherwise ``group_holdout``.

    Raises
    ------
    DataError
        The table has an official test split but no training split; no image of the former may train unnoticed.
    """
    counts = table.frame["split"].value_counts()
    if "train" in counts and len(set(counts.index) - {""}) > 1:
        return "official"
    if "test" in counts:
        raise DataError(
            f"{table.name}:{table.root} has an official test split ({pluralize(int(counts['test']), 'image')}) but no "
            "training split. Assign the other images to train, or let data.split=group_holdout divide all images, "
            "including those of the test split"
        )
    return "group_holdout"


def unused_official_caveats(table: LesionTable, split_names: NDArray[np.object_]) -> list[str]:
    """Return a caveat if the table has official splits and ``split_names``, (n,), assigns its images otherwise.

    Validation images may still be held out from training.
    """
    official = table.frame["split"].to_numpy(dtype=object)
    is_test = official == "test"
    moved = int((is_test & (split_names != "test") & (split_names != "")).sum())
    if moved:
        return [
            f"the official splits of the table are not used: {moved:,} of its {int(is_test.sum()):,} test images are "
            "in the training or validation split; data.split=official uses them"
        ]
    differ = (official != "") & (official != split_names) & (split_names != "")
    if differ.any() and len(set(official) - {""}) > 1:
        return ["the official splits of the table are not used; data.split=official uses them"]
    return []


def group_holdout(
    table: LesionTable,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Hold out validation and test images by lesion (by patient if known), stratified by class.

    With ``test_fraction=0`` there is no test split.

    Raises
    ------
    DataError
        The fractions leave no image to train on, or there are too few lesions.
    """
    if val_fraction + test_fraction >= 1:
        raise DataError(
            f"{val_fraction:.0%} for validation and {test_fraction:.0%} for testing leave no image to train on"
        )
    split_names = np.full(len(table), "train", dtype=object)
    description = "by lesion, stratified by class"
    if test_fraction:
        test = holdout_indices(table, np.arange(len(table)), test_fraction, seed=seed)
        split_names[test] = "test"
        description += f"; {len(test) / len(table):.0%} for testing (seed {seed})"
    spec = ValidationSpec(val_fraction / (1 - test_fraction), seed, checkpoint_split)
    caveats = unused_official_caveats(table, split_names)
    return add_validation_split(table, split_names, description, spec, caveats=caveats)


def official_splits(
    table: LesionTable, *, val_fraction: float, seed: int, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Use the official splits of the dataset; if it has no validation split, hold it out from training by lesion.

    If the test split selects the checkpoint and ``val_fraction`` is 0, no image is held out and the official validation
    split is added to training, as Gessert et al. 2019, section II.A, do on derm7pt.

    Raises
    ------
    DataError
        The dataset has no official splits.
    """
    split_names = table.frame["split"].to_numpy(dtype=object)
    if not (split_names == "train").any():
        raise DataError(
            f"{table.name} has no official training split; use data.split=group_holdout or data.split=FILE.csv"
        )
    excluded = dict.fromkeys(np.flatnonzero(split_names == "").tolist(), "in no official split")
    description = "the official splits of the dataset"
    if checkpoint_split == "test" and val_fraction == 0 and (split_names == "validation").any():
        split_names = np.where(split_names == "validation", "train", split_names)
        description += ", validation added to training"
    spec = ValidationSpec(val_fraction, seed, checkpoint_split)
    caveats = [f"in no official split, and not used: {pluralize(len(excluded), 'image')}"] if excluded else []
    return add_validation_split(table, split_names, description, spec, excluded=excluded, caveats=caveats)


def rows_to_split(table: LesionTable, protocol: str) -> tuple[NDArray[np.int64], Mapping[int, str]]:
    """Return the rows that a protocol divides, and the reason for each of the other rows.

    A protocol divides the official training split, or all images if there are no official splits: it does not cover
    validation and test images that the challenge published later.
    """
    split_names = table.frame["split"].to_numpy(dtype=object)
    if not (split_names == "train").any():
        return np.arange(len(table)), {}
    others = np.flatnonzero(split_names != "train")
    reason = f"not in the official training split, which {protocol} divides"
    return np.flatnonzero(split_names == "train"), dict.fromkeys(others.tolist(), reason)


IMAGE_LEVEL_WARNING = (
    "the folds are by image, as in Yan 2020 (section 3.3), who does not mention lesions; data.split=group_kfold keeps "
    "the images of a lesion together"
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
    """Divide all images into folds by lesion (by patient if known), stratified by class; one fold is the test split.

    A class with fewer lesions than folds is missing from some test splits, which the caveats report.

    Raises
    ------
    DataError
        There are fewer lesions than folds.
    """
    split_names = np.full(len(table), "train", dtype=object)
    test = stratified_group_fold(table, np.arange(len(table)), n_folds=n_folds, fold=fold, seed=seed)
    split_names[test] = "test"
    description = _fold_description("lesion", n_folds=n_folds, fold=fold, seed=seed)
    spec = ValidationSpec(val_fraction, seed, checkpoint_split)
    caveats = unused_official_caveats(table, split_names)
    return add_validation_split(table, split_names, description, spec, caveats=caveats)


def image_kfold(
    table: LesionTable,
    *,
    n_folds: int,
    fold: int,
    val_fraction: float,
    seed: int,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Divide the training images into folds by image, stratified by class; one fold is the test split.

    Yan 2020, section 3.3, reports the mean over five folds of the training split of ISIC 2018. Section 3.1 selects the
    checkpoint on the validation set: the official one if the table contains it. Otherwise, where the thesis does not
    specify it, a fraction of the training images is held out, also by image.

    Raises
    ------
    DataError
        There are fewer images than folds.
    """
    rows, excluded = rows_to_split(table, "image_kfold")
    split_names = np.full(len(table), "", dtype=object)
    split_names[rows] = "train"
    test = stratified_group_fold(table, rows, n_folds=n_folds, fold=fold, seed=seed, by_image=True)
    split_names[rows[test]] = "test"
    excluded = _add_official_validation(table, split_names, excluded)
    description = _fold_description("image", n_folds=n_folds, fold=fold, seed=seed)
    spec = ValidationSpec(val_fraction, seed, checkpoint_split, by_image=True)
    return add_validation_split(
        table, split_names, description, spec, excluded=excluded, caveats=[IMAGE_LEVEL_WARNING]
    )


def _fold_description(unit: str, *, n_folds: int, fold: int, seed: int) -> str:
    return (
        f"fold {fold} of {n_folds} (from 0) for testing, folds by {unit}, stratified by class (seed {seed})"
    )


def _add_official_validation(
    table: LesionTable, split_names: NDArray[np.object_], excluded: Mapping[int, str]
) -> Mapping[int, str]:
    """Set the official validation split in ``split_names`` in place; return the rows that are still excluded."""
    official = table.frame["split"].to_numpy(dtype=object) == "validation"
    split_names[official] = "validation"
    return {row: reason for row, reason in excluded.items() if not official[row]}
