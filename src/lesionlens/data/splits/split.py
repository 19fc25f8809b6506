"""A split: which image trains, which selects the checkpoint, which tests; and what a reader must know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.atomic import atomic_write
from lesionlens.data.problems import pluralize
from lesionlens.data.table import SPLITS, LesionTable
from lesionlens.errors import DataError

CheckpointSplit = Literal["validation", "test"]
OPTIMISTIC_BIAS_WARNING = (
    "the test part is measured in each epoch (data.select_on=test): where it also chose the checkpoint or stopped the "
    "training, the numbers are those of the best of many tries on it, and too good"
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
        """Write ``image_id,part``; an image in two parts has two lines, one that is left out has none."""
        rows = [(image, part) for part, ids in self.splits.items() for image in ids]
        with atomic_write(path) as file:
            pd.DataFrame(rows, columns=["image_id", "part"]).to_csv(file, index=False)


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
    rows = pd.DataFrame({"group": table.group_ids, "part": split_names})[split_names != ""]
    parts = rows.groupby("group")["part"].nunique()
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
