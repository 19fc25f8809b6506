"""Images held out by lesion (by patient where known), or one by one; the classes in proportion."""

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits, build_splits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


class ValidationSpec(NamedTuple):
    """On which images the checkpoint is chosen.

    Attributes
    ----------
    fraction
        Of the training images, cut off for validation where the protocol names no validation part.
    seed
        Of that cut.
    checkpoint_split
        ``test``: the test part validates too, as in the code of Datta et al. 2021; nothing is then cut.
    by_image
        Cut without regard to lesions, as the protocol does elsewhere.
    """

    fraction: float
    seed: int
    checkpoint_split: CheckpointSplit = "validation"
    by_image: bool = False


def stratified_group_fold(
    table: LesionTable,
    candidates: NDArray[np.int64],
    *,
    n_folds: int,
    fold: int,
    seed: int,
    by_image: bool = False,
) -> NDArray[np.int64]:
    """Give the places within ``candidates`` of one fold of a stratified cross-validation.

    Raises
    ------
    DataError
        There are fewer lesions than folds, or every class has fewer images than folds.
    """
    diagnosis = table.frame["diagnosis"].to_numpy(dtype=str)[candidates]
    groups = (table.frame["image_id"].to_numpy(dtype=str) if by_image else table.group_ids.astype(str))[candidates]
    units = len(set(groups))
    if units < n_folds:
        kind = "images" if by_image else "lesions"
        raise DataError(f"{units} {kind} are too few for {n_folds} folds; give more images, or fewer folds")
    most = max(np.unique(diagnosis, return_counts=True)[1])
    if most < n_folds:
        raise DataError(
            f"no class has an image for each of {n_folds} folds (the largest has {most}); "
            "give more images, or fewer folds"
        )
    chooser = (StratifiedKFold if by_image else StratifiedGroupKFold)(
        n_splits=n_folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rare classes; what became of them is told in the remarks
        chosen: NDArray[np.int64] = list(chooser.split(candidates, diagnosis, groups))[fold][1]
    return chosen


def holdout_indices(
    table: LesionTable, candidates: NDArray[np.int64], fraction: float, *, seed: int, by_image: bool = False
) -> NDArray[np.int64]:
    """Give places within ``candidates``: about ``fraction`` of them, as one fold of 1/share, or all but one of 1/(1 - share).

    Raises
    ------
    DataError
        The share is none, or there are too few lesions.
    """
    if not 0 < fraction < 1:
        raise DataError(f"a share of {fraction:.0%} cannot be held out; give one between 0 and 1, such as 0.15")
    folds = max(2, round(1 / min(fraction, 1 - fraction)))
    try:
        one = stratified_group_fold(table, candidates, n_folds=folds, fold=0, seed=seed, by_image=by_image)
    except DataError as error:
        raise DataError(
            f"{len(candidates):,} images are too few to hold out {fraction:.0%}: {error}; or give data.split=FILE.csv"
        ) from error
    return one if fraction <= 0.5 else np.setdiff1d(np.arange(len(candidates)), one)


def add_validation_split(
    table: LesionTable,
    split_names: NDArray[np.object_],
    description: str,
    spec: ValidationSpec,
    *,
    excluded: Mapping[int, str] | None = None,
    caveats: Sequence[str] = (),
) -> DatasetSplits:
    """Finish a split: cut the validation part from training where there is none, or let the test part select.

    Raises
    ------
    DataError
        The test part should select and there is none; or there are too few images to cut from.
    """
    split_names, without = split_names.copy(), dict(excluded or {})
    if spec.checkpoint_split == "test":
        if not (split_names == "test").any():
            raise DataError("data.select_on=test needs a test part, and this split has none")
        spare = np.flatnonzero(split_names == "validation")
        without |= dict.fromkeys(
            spare.tolist(), "in the validation part, which is not used: the test part selects"
        )
        split_names[spare] = ""
    elif not (split_names == "validation").any():
        train = np.flatnonzero(split_names == "train")
        cut = holdout_indices(table, train, spec.fraction, seed=spec.seed, by_image=spec.by_image)
        split_names[train[cut]] = "validation"
        unit = "image" if spec.by_image else "lesion"
        held = len(cut) / len(
            train
        )  # not just the share that was asked for: lesions are whole, folds are few
        description += f"; {held:.0%} of training held out by {unit} for validation (seed {spec.seed})"
    return build_splits(table, split_names, description, checkpoint_split=spec.checkpoint_split, excluded=without, caveats=caveats)
