"""Cross-validation: fold i tests, the others train. By lesion; or by image, as a thesis reports it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.splits.holdout import Selection, fold_of, with_selection
from lesionlens.data.splits.official import training_rows
from lesionlens.data.splits.split import SelectOn, Split
from lesionlens.data.table import LesionTable

BY_IMAGE = (
    "folds by image, as Yan 2020 (section 3.3) reports them without a word on lesions: "
    "data.split=kfold keeps the images of a lesion together"
)


def kfold(
    table: LesionTable,
    *,
    folds: int,
    fold: int,
    validation: float,
    seed: int,
    select_on: SelectOn = "validation",
) -> Split:
    """Divide all images by lesion (by patient where known), the classes in proportion; fold ``fold`` tests.

    A class of fewer lesions than folds is missing from some test part; the remarks say so.

    Raises
    ------
    DataError
        There are fewer lesions than folds.
    """
    named = np.full(len(table), "train", dtype=object)
    named[fold_of(table, np.arange(len(table)), folds=folds, fold=fold, seed=seed)] = "test"
    how = f"fold {fold} of {folds} (from 0) tests, folds by lesion, stratified by class (seed {seed})"
    return with_selection(table, named, how, Selection(validation, seed, select_on))


def kfold_images(
    table: LesionTable,
    *,
    folds: int,
    fold: int,
    validation: float,
    seed: int,
    select_on: SelectOn = "validation",
) -> Split:
    """Divide the training images one by one, the classes in proportion; fold ``fold`` tests.

    Yan 2020, section 3.3: five folds of the training part of ISIC 2018, the average of which is reported. Section
    3.1: the checkpoint is chosen on the validation set; that is the challenge's where the table holds it. Where it
    does not, the thesis is silent, and a share of the training images is cut, by image as well.

    Raises
    ------
    DataError
        There are fewer images than folds.
    """
    rows, without = training_rows(table, "kfold-images")
    named = np.full(len(table), "", dtype=object)
    named[rows] = "train"
    named[rows[fold_of(table, rows, folds=folds, fold=fold, seed=seed, by_image=True)]] = "test"
    without = _validating(table, named, without)
    how = f"fold {fold} of {folds} (from 0) tests, folds by image, stratified by class (seed {seed})"
    selection = Selection(validation, seed, select_on, by_image=True)
    return with_selection(table, named, how, selection, left_out=without, remarks=[BY_IMAGE])


def _validating(
    table: LesionTable, named: NDArray[np.object_], without: Mapping[int, str]
) -> Mapping[int, str]:
    """Let the official validation part validate; give what is still left out."""
    official = table.frame["part"].to_numpy(dtype=object) == "validation"
    named[official] = "validation"
    return {row: reason for row, reason in without.items() if not official[row]}
