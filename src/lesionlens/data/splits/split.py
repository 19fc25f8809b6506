"""A split: which image trains, which selects the checkpoint, which tests; and what a reader must know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.atomic import replacing
from lesionlens.data.problems import counted
from lesionlens.data.table import PARTS, LesionTable
from lesionlens.errors import DataError

SelectOn = Literal["validation", "test"]
TOO_GOOD = (
    "the test part is measured in each epoch (data.select_on=test): where it also chose the checkpoint or stopped the "
    "training, the numbers are those of the best of many tries on it, and too good"
)


@dataclass(frozen=True)
class Split:
    """The ids of each part, how it was made, and what a reader must know about it.

    Attributes
    ----------
    parts
        Part to image ids; a part that does not exist is absent.
    how
        One sentence for the report.
    remarks
        Loud ones: a leak between parts, a missing test part.
    left_out
        Images that no part has, each with the reason.
    """

    parts: Mapping[str, tuple[str, ...]]
    how: str
    remarks: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def save(self, path: Path) -> None:
        """Write ``image_id,part``; an image in two parts has two lines, one that is left out has none."""
        rows = [(image, part) for part, ids in self.parts.items() for image in ids]
        with replacing(path) as file:
            pd.DataFrame(rows, columns=["image_id", "part"]).to_csv(file, index=False)


def split_of(
    table: LesionTable,
    named: NDArray[np.object_],
    how: str,
    *,
    selects: SelectOn = "validation",
    left_out: Mapping[int, str] | None = None,
    remarks: Sequence[str] = (),
) -> Split:
    """Turn a part for each row (``""``: none) into a split; say what a reader must not miss.

    Where the test part ``selects``, it is the validation part as well.

    Raises
    ------
    DataError
        Nothing is left to train or to validate on.
    """
    ids = table.frame["image_id"].to_numpy(dtype=str)
    parts = {part: tuple(ids[named == part].tolist()) for part in PARTS if (named == part).any()}
    if selects == "test":
        parts["validation"] = parts["test"]
        remarks = [*remarks, TOO_GOOD]
    if not parts.get("train") or not parts.get("validation"):
        there = ", ".join(f"{part} {len(images):,}" for part, images in parts.items()) or "no image"
        raise DataError(
            f"the split leaves nothing to train or to validate on: {there}. Give more images, or another data.split"
        )
    told = [*remarks, *shared_groups(table, named), *_absent(table, parts)]
    if "test" not in parts:
        told.append(
            "no test part: the numbers are those of the validation part, and too good where it also chose the "
            "checkpoint"
        )
    without = tuple((str(ids[row]), reason) for row, reason in sorted((left_out or {}).items()))
    return Split(parts, how, tuple(told), without)


def shared_groups(table: LesionTable, named: NDArray[np.object_]) -> list[str]:
    """Say how many lesions (patients where known) have images in more than one part (``""``: none), if any."""
    rows = pd.DataFrame({"group": table.groups, "part": named})[named != ""]
    parts = rows.groupby("group")["part"].nunique()
    leaks = int((parts > 1).sum())
    if not leaks:
        return []
    verb = "has" if leaks == 1 else "have"
    return [f"{counted(leaks, 'lesion')} {verb} images in more than one part: numbers may be too good"]


def _absent(table: LesionTable, parts: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Name the table's classes that a part lacks: they cannot be learnt there, or not be measured."""
    remarks, whole = [], table.counts()
    for part, there in parts.items():
        held = table.select(there).counts()
        if absent := [name for name, images in held.items() if whole[name] and not images]:
            remarks.append(f"the {part} part has no image of {', '.join(absent)}")
    return remarks
