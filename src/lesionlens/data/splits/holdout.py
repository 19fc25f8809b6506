"""Images held out by lesion (by patient where known), or one by one; the classes in proportion."""

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lesionlens.data.splits.split import SelectOn, Split, split_of
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


class Selection(NamedTuple):
    """On which images the checkpoint is chosen.

    Attributes
    ----------
    share
        Of the training images, cut off for validation where the protocol names no validation part.
    seed
        Of that cut.
    on
        ``test``: the test part validates too, as in the code of Datta et al. 2021; nothing is then cut.
    by_image
        Cut without regard to lesions, as the protocol does elsewhere.
    """

    share: float
    seed: int
    on: SelectOn = "validation"
    by_image: bool = False


def fold_of(
    table: LesionTable,
    among: NDArray[np.int64],
    *,
    folds: int,
    fold: int,
    seed: int,
    by_image: bool = False,
) -> NDArray[np.int64]:
    """Give the places within ``among`` of one fold of a stratified cross-validation.

    Raises
    ------
    DataError
        There are fewer lesions than folds, or every class has fewer images than folds.
    """
    diagnosis = table.frame["diagnosis"].to_numpy(dtype=str)[among]
    groups = (table.frame["image_id"].to_numpy(dtype=str) if by_image else table.groups.astype(str))[among]
    units = len(set(groups))
    if units < folds:
        kind = "images" if by_image else "lesions"
        raise DataError(f"{units} {kind} are too few for {folds} folds; give more images, or fewer folds")
    most = max(np.unique(diagnosis, return_counts=True)[1])
    if most < folds:
        raise DataError(
            f"no class has an image for each of {folds} folds (the largest has {most}); "
            "give more images, or fewer folds"
        )
    chooser = (StratifiedKFold if by_image else StratifiedGroupKFold)(
        n_splits=folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rare classes; what became of them is told in the remarks
        chosen: NDArray[np.int64] = list(chooser.split(among, diagnosis, groups))[fold][1]
    return chosen


def held_out(
    table: LesionTable, among: NDArray[np.int64], share: float, *, seed: int, by_image: bool = False
) -> NDArray[np.int64]:
    """Give places within ``among``: about ``share`` of them, as one fold of 1/share, or all but one of 1/(1 - share).

    Raises
    ------
    DataError
        The share is none, or there are too few lesions.
    """
    if not 0 < share < 1:
        raise DataError(f"a share of {share:.0%} cannot be held out; give one between 0 and 1, such as 0.15")
    folds = max(2, round(1 / min(share, 1 - share)))
    try:
        one = fold_of(table, among, folds=folds, fold=0, seed=seed, by_image=by_image)
    except DataError as error:
        raise DataError(
            f"{len(among):,} images are too few to hold out {share:.0%}: {error}; or give data.split=FILE.csv"
        ) from error
    return one if share <= 0.5 else np.setdiff1d(np.arange(len(among)), one)


def with_selection(
    table: LesionTable,
    named: NDArray[np.object_],
    how: str,
    selection: Selection,
    *,
    left_out: Mapping[int, str] | None = None,
    remarks: Sequence[str] = (),
) -> Split:
    """Finish a split: cut the validation part from training where there is none, or let the test part select.

    Raises
    ------
    DataError
        The test part should select and there is none; or there are too few images to cut from.
    """
    named, without = named.copy(), dict(left_out or {})
    if selection.on == "test":
        if not (named == "test").any():
            raise DataError("data.select_on=test needs a test part, and this split has none")
        spare = np.flatnonzero(named == "validation")
        without |= dict.fromkeys(
            spare.tolist(), "in the validation part, which is not used: the test part selects"
        )
        named[spare] = ""
    elif not (named == "validation").any():
        train = np.flatnonzero(named == "train")
        cut = held_out(table, train, selection.share, seed=selection.seed, by_image=selection.by_image)
        named[train[cut]] = "validation"
        unit = "image" if selection.by_image else "lesion"
        held = len(cut) / len(
            train
        )  # not just the share that was asked for: lesions are whole, folds are few
        how += f"; {held:.0%} of training held out by {unit} for validation (seed {selection.seed})"
    return split_of(table, named, how, selects=selection.on, left_out=without, remarks=remarks)
