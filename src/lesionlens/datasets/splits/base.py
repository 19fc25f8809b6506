"""A split: which image trains, which selects the checkpoint, which tests; and what a reader must know of it."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
OPTIMISTIC_BIAS_WARNING = (
    "the test part is measured in each epoch (data.checkpoint_split=test): where it also chose the checkpoint or "
    "stopped the training, the numbers are those of the best of many tries on it, and too good"
)


@dataclass(frozen=True)
class DatasetSplits:
    """The ids of each part, how it was made, and what a reader must know about it.

    Attributes
    ----------
    splits
        Part to image ids; a part that does not exist is absent.
    description
        One sentence for the report.
    caveats
        Loud ones: a leak between parts, a missing test part.
    excluded
        Images that no part has, each with the reason.
    """

    splits: Mapping[str, tuple[str, ...]]
    description: str
    caveats: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...] = ()

    def save(self, path: Path) -> None:
        """Write ``image_id,split``; an image in two parts has two lines, one that is left out has none."""
        rows = [(image, part) for part, ids in self.splits.items() for image in ids]
        with atomic_write(path) as file:
            pd.DataFrame(rows, columns=["image_id", "split"]).to_csv(file, index=False)


def build_splits(
    table: LesionTable,
    split_names: NDArray[np.object_],
    description: str,
    *,
    checkpoint_split: CheckpointSplit = "validation",
    excluded: Mapping[int, str] | None = None,
    caveats: Sequence[str] = (),
) -> DatasetSplits:
    """Turn a part for each row (``""``: none) into a split; say what a reader must not miss.

    Where the test part ``checkpoint_split``, it is the validation part as well.

    Raises
    ------
    DataError
        Nothing is left to train or to validate on.
    """
    ids = table.frame["image_id"].to_numpy(dtype=str)
    parts = {part: tuple(ids[split_names == part].tolist()) for part in SPLITS if (split_names == part).any()}
    if checkpoint_split == "test":
        parts["validation"] = parts["test"]
        caveats = [*caveats, OPTIMISTIC_BIAS_WARNING]
    if not parts.get("train") or not parts.get("validation"):
        there = ", ".join(f"{part} {len(images):,}" for part, images in parts.items()) or "no image"
        raise DataError(
            f"the split leaves nothing to train or to validate on: {there}. Give more images, or another data.split"
        )
    told = [*caveats, *count_group_leakage(table, split_names), *_missing_class_caveats(table, parts)]
    if "test" not in parts:
        told.append(
            "no test part: the numbers are those of the validation part, and too good where it also chose the "
            "checkpoint"
        )
    without = tuple((str(ids[row]), reason) for row, reason in sorted((excluded or {}).items()))
    return DatasetSplits(parts, description, tuple(told), without)


def count_group_leakage(table: LesionTable, split_names: NDArray[np.object_]) -> list[str]:
    """Say how many lesions (patients where known) have images in more than one part (``""``: none), if any."""
    rows = pd.DataFrame({"group": table.group_ids, "split": split_names})[split_names != ""]
    parts = rows.groupby("group")["split"].nunique()
    leaks = int((parts > 1).sum())
    if not leaks:
        return []
    verb = "has" if leaks == 1 else "have"
    return [f"{pluralize(leaks, 'lesion')} {verb} images in more than one part: numbers may be too good"]


def _missing_class_caveats(table: LesionTable, splits: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Name the table's classes that a part lacks: they cannot be learnt there, or not be measured."""
    remarks, whole = [], table.class_counts()
    for part, there in splits.items():
        held = table.select(there).class_counts()
        if absent := [name for name, images in held.items() if whole[name] and not images]:
            remarks.append(f"the {part} part has no image of {', '.join(absent)}")
    return remarks


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
    groups = (table.frame["image_id"].to_numpy(dtype=str) if by_image else table.group_ids.astype(str))[
        candidates
    ]
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
    """Give places within ``candidates``: about ``fraction`` of them.

    It is one fold of 1/fraction, or all but one of 1/(1 - fraction).

    Raises
    ------
    DataError
        The share is none, or there are too few lesions.
    """
    if not 0 < fraction < 1:
        raise DataError(
            f"a share of {fraction:.0%} cannot be held out; give one between 0 and 1, such as 0.15"
        )
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
            raise DataError("data.checkpoint_split=test needs a test part, and this split has none")
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
    return build_splits(
        table,
        split_names,
        description,
        checkpoint_split=spec.checkpoint_split,
        excluded=without,
        caveats=caveats,
    )
