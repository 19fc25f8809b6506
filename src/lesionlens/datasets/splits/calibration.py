"""The calibration split: images that neither train nor select the checkpoint."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import DatasetSplits, holdout_indices, missing_class_caveats
from lesionlens.datasets.table import LesionTable


def hold_out_calibration(
    table: LesionTable, splits: DatasetSplits, fraction: float, *, seed: int
) -> DatasetSplits:
    """Move a fraction of the training images to the split ``calibration``, by lesion (by patient if known).

    Images are stratified by class. All other splits stay as they are. If the splits contain calibration images, such as
    those of a split file, they are used and ``fraction`` is ignored.

    Parameters
    ----------
    table
        The table that was split.
    splits
        Splits of the table.
    fraction
        Fraction of the training images; 0 holds nothing out.
    seed
        Random seed of the hold-out.

    Raises
    ------
    DataError
        The fraction is not below 1, or there are too few lesions.
    """
    if not fraction or "calibration" in splits.splits:
        return splits
    ids = table.frame["image_id"].to_numpy(dtype=str)
    train = np.flatnonzero(np.isin(ids, splits.splits["train"]))
    held_out = train[_indices(table, train, fraction, seed=seed)]
    is_held_out = np.isin(np.arange(len(ids)), held_out)
    calibration = tuple(ids[is_held_out].tolist())
    remaining = tuple(ids[np.setdiff1d(train, held_out)].tolist())
    moved = {"train": remaining, "calibration": calibration}
    caveats = dict.fromkeys((*splits.caveats, *missing_class_caveats(table, moved)))
    share = f"{len(held_out) / len(train):.0%} of training held out by lesion for calibration (seed {seed})"
    return replace(
        splits,
        splits={**splits.splits, **moved},
        description=f"{splits.description}; {share}",
        caveats=tuple(caveats),
    )


def _indices(
    table: LesionTable, train: NDArray[np.int64], fraction: float, *, seed: int
) -> NDArray[np.int64]:
    try:
        return holdout_indices(table, train, fraction, seed=seed)
    except DataError as error:
        raise DataError(f"no calibration split (data.calibration={fraction:g}): {error}") from error
