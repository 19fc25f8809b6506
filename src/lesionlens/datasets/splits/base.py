"""Training, validation and test splits of a table, and the operations that build them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lesionlens.core.errors import DataError
from lesionlens.core.fileio import atomic_write
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.table import SPLITS, LesionTable

CheckpointSplit = Literal["validation", "test"]
CaveatKind = Literal["protocol", "leakage", "missing classes", "no test split"]
OPTIMISTIC_BIAS_WARNING = (
    "the test split is evaluated in each epoch (data.checkpoint_split=test): if it also selected the checkpoint or "
    "stopped the training, the results are the best of many evaluations on it and optimistically biased"
)


class SplitCaveat(NamedTuple):
    """Statement about splits that a report must show.

    Attributes
    ----------
    text
        The statement.
    kind
        What it is about: the ``protocol`` of the split, ``leakage`` between splits, ``missing classes`` in a split, or
        ``no test split``.
    """

    text: str
    kind: CaveatKind = "protocol"


@dataclass(frozen=True)
class DatasetSplits:
    """Image IDs of each split, how the splits were made, and their caveats.

    Attributes
    ----------
    splits
        Image IDs by split (``train``, ``validation``, ``calibration``, ``test``); one that does not exist is absent.
    description
        One sentence for the report.
    caveats
        Statements that a report must show, such as data leakage between splits or a missing test split.
    excluded
        Images that are in no split: pairs of image ID and reason.
    extra_train
        Number of training images of each class that ``add_extra_training_images`` added.
    """

    splits: Mapping[str, tuple[str, ...]]
    description: str
    caveats: tuple[SplitCaveat, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    extra_train: Mapping[str, int] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write a CSV file ``image_id,split``, with two rows for an image in two splits and none if it is excluded."""
        rows = [(image, split) for split, ids in self.splits.items() for image in ids]
        with atomic_write(path) as file:
            pd.DataFrame(rows, columns=["image_id", "split"]).to_csv(file, index=False)


NO_TEST_SPLIT_CAVEAT = SplitCaveat(
    "no test split: the results are those of the validation split, and optimistically biased if it also selected the "
    "checkpoint",
    "no test split",
)


def build_splits(
    table: LesionTable,
    split_names: NDArray[np.object_],
    description: str,
    *,
    checkpoint_split: CheckpointSplit = "validation",
    excluded: Mapping[int, str] | None = None,
    caveats: Sequence[str] = (),
) -> DatasetSplits:
    """Build splits from the split name of each row, and add the caveats.

    Parameters
    ----------
    table
        Table to split.
    split_names
        Split of each row, ``""`` for none, (n,).
    description
        How the splits were made, for the report.
    checkpoint_split
        ``test``: the test split is used as the validation split as well.
    excluded
        Reason for each excluded row, by row index.
    caveats
        Caveats of the strategy.

    Raises
    ------
    DataError
        There is no image to train or to validate on.
    """
    ids = table.frame["image_id"].to_numpy(dtype=str)
    splits = {
        name: tuple(ids[split_names == name].tolist()) for name in SPLITS if (split_names == name).any()
    }
    if checkpoint_split == "test":
        splits["validation"] = splits["test"]
        caveats = [*caveats, OPTIMISTIC_BIAS_WARNING]
    if not splits.get("train") or not splits.get("validation"):
        counts = ", ".join(f"{name} {len(images):,}" for name, images in splits.items()) or "no image"
        raise DataError(
            f"the split leaves no image to train or to validate on: {counts}. Add images, or use another data.split"
        )
    all_caveats = (
        *map(SplitCaveat, caveats),
        *count_group_leakage(table, split_names),
        *missing_class_caveats(table, splits),
        *([] if "test" in splits else [NO_TEST_SPLIT_CAVEAT]),
    )
    reasons = tuple((str(ids[row]), reason) for row, reason in sorted((excluded or {}).items()))
    return DatasetSplits(splits, description, all_caveats, reasons)


def count_group_leakage(table: LesionTable, split_names: NDArray[np.object_]) -> list[SplitCaveat]:
    """Return a caveat if lesions (or patients, if known) have images in more than one split, otherwise nothing.

    Rows whose split is ``""`` are ignored.
    """
    rows = pd.DataFrame({"group": table.group_ids, "split": split_names})[split_names != ""]
    num_splits = rows.groupby("group")["split"].nunique()
    leaks = int((num_splits > 1).sum())
    if not leaks:
        return []
    verb = "has" if leaks == 1 else "have"
    text = f"{pluralize(leaks, 'lesion')} {verb} images in more than one split: results may be optimistically biased"
    return [SplitCaveat(text, "leakage")]


def missing_class_caveats(table: LesionTable, splits: Mapping[str, tuple[str, ...]]) -> list[SplitCaveat]:
    """Return a caveat for each split that lacks classes of the table, which it cannot train, calibrate or evaluate."""
    caveats, rows, total = [], table.frame, table.class_counts()
    for split, image_ids in splits.items():
        present = set(rows["diagnosis"][rows["image_id"].isin(image_ids)])
        if missing := [name for name, count in total.items() if count and name not in present]:
            text = f"the {split} split has no image of {', '.join(missing)}"
            caveats.append(SplitCaveat(text, "missing classes"))
    return caveats


class ValidationSpec(NamedTuple):
    """How the validation split is made.

    Attributes
    ----------
    fraction
        Fraction of the training images held out for validation if the protocol has no validation split.
    seed
        Random seed of the hold-out.
    checkpoint_split
        ``test``: the test split selects the checkpoint, as in the code of Datta et al. 2021, and no image is held out.
    by_image
        Hold out images instead of lesions, for protocols that split by image.
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
    """Return the test indices of one fold of a stratified cross-validation, as positions in ``candidates``.

    Parameters
    ----------
    table
        Table to split.
    candidates
        Row indices that are divided into folds.
    n_folds, fold
        Number of folds, and index of the fold, from 0.
    seed
        Random seed of the shuffle.
    by_image
        Divide images instead of lesions (patients if known).

    Raises
    ------
    DataError
        There are fewer lesions than folds, or every class has fewer images than folds.
    """
    diagnosis = table.frame["diagnosis"].to_numpy(dtype=str)[candidates]
    groups = (table.frame["image_id"].to_numpy(dtype=str) if by_image else table.group_ids.astype(str))[
        candidates
    ]
    units = len(set(groups))
    if units < n_folds:
        kind = "images" if by_image else "lesions"
        raise DataError(f"{units} {kind} are too few for {n_folds} folds; add images, or use fewer folds")
    largest = max(np.unique(diagnosis, return_counts=True)[1])
    if largest < n_folds:
        raise DataError(
            f"no class has an image for each of {n_folds} folds (the largest has {largest}); "
            "add images, or use fewer folds"
        )
    splitter = (StratifiedKFold if by_image else StratifiedGroupKFold)(
        n_splits=n_folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rare classes: the caveats report splits without them
        indices: NDArray[np.int64] = list(splitter.split(candidates, diagnosis, groups))[fold][1]
    return indices


_MIN_FOLDS_OF_FEW_IMAGES = 4  # a smaller number would hold out much more than what was requested


def holdout_indices(
    table: LesionTable, candidates: NDArray[np.int64], fraction: float, *, seed: int, by_image: bool = False
) -> NDArray[np.int64]:
    """Return about ``fraction`` of the candidates, as positions in ``candidates``.

    They are one of 1/fraction folds, or all but one of 1/(1 - fraction) folds. Where no class has an image for each
    fold, there are as many folds as the largest class has images, but at least 4.

    Raises
    ------
    DataError
        The fraction is not between 0 and 1, or there are too few lesions.
    """
    if not 0 < fraction < 1:
        raise DataError(
            f"a fraction of {fraction:.0%} cannot be held out; use one between 0 and 1, such as 0.15"
        )
    folds = max(2, round(1 / min(fraction, 1 - fraction)))
    largest_class = table.frame["diagnosis"].iloc[candidates].value_counts().max()
    folds = max(min(folds, largest_class), min(folds, _MIN_FOLDS_OF_FEW_IMAGES))
    try:
        first_fold = stratified_group_fold(
            table, candidates, n_folds=folds, fold=0, seed=seed, by_image=by_image
        )
    except DataError as error:
        raise DataError(
            f"{len(candidates):,} images are too few to hold out {fraction:.0%}: {error}; or hold out a larger "
            "fraction (data.val_fraction, data.test_fraction), or use data.split=FILE.csv"
        ) from error
    return first_fold if fraction <= 0.5 else np.setdiff1d(np.arange(len(candidates)), first_fold)


def add_validation_split(
    table: LesionTable,
    split_names: NDArray[np.object_],
    description: str,
    spec: ValidationSpec,
    *,
    excluded: Mapping[int, str] | None = None,
    caveats: Sequence[str] = (),
) -> DatasetSplits:
    """Build splits with a validation split.

    If ``split_names`` has none, it is held out from training, or the test split selects the checkpoint. Parameters are
    those of ``build_splits``.

    Raises
    ------
    DataError
        The test split should select the checkpoint but does not exist, or there are too few images to hold out.
    """
    split_names, reasons = split_names.copy(), dict(excluded or {})
    if spec.checkpoint_split == "test":
        reasons |= _remove_validation(split_names)
    elif not (split_names == "validation").any():
        fraction = _hold_out_validation(table, split_names, spec)
        unit = "image" if spec.by_image else "lesion"
        description += f"; {fraction:.0%} of training held out by {unit} for validation (seed {spec.seed})"
        if fraction > 1.5 * spec.fraction:
            caveats = [
                *caveats,
                f"{fraction:.0%} of the training images are held out for validation: {spec.fraction:.0%} would be too "
                "few",
            ]
    return build_splits(
        table,
        split_names,
        description,
        checkpoint_split=spec.checkpoint_split,
        excluded=reasons,
        caveats=caveats,
    )


def _remove_validation(split_names: NDArray[np.object_]) -> dict[int, str]:
    """Take the validation images out of ``split_names`` in place; return the reason for each row."""
    if not (split_names == "test").any():
        raise DataError("data.checkpoint_split=test needs a test split, and this split has none")
    unused = np.flatnonzero(split_names == "validation")
    split_names[unused] = ""
    return dict.fromkeys(
        unused.tolist(), "in the validation split, which is not used: the test split selects the checkpoint"
    )


def _hold_out_validation(table: LesionTable, split_names: NDArray[np.object_], spec: ValidationSpec) -> float:
    """Move training images to validation in place; return their fraction, which lesions and folds make inexact."""
    train = np.flatnonzero(split_names == "train")
    held_out = holdout_indices(table, train, spec.fraction, seed=spec.seed, by_image=spec.by_image)
    split_names[train[held_out]] = "validation"
    return len(held_out) / len(train)
