"""Which image trains, which selects, which tests: official, by lesion, or from a file. A split is a small CSV."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from lesionlens.atomic import replacing
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError

PARTS = ("train", "validation", "test")


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
    """

    parts: Mapping[str, tuple[str, ...]]
    how: str
    remarks: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write ``image_id,part``."""
        rows = [(image, part) for part, ids in self.parts.items() for image in ids]
        with replacing(path) as file:
            pd.DataFrame(rows, columns=["image_id", "part"]).to_csv(file, index=False)


def official(table: LesionTable, *, validation: float, seed: int) -> Split:
    """Take the parts that the data set names; cut validation from training, by lesion, where it has none.

    Raises
    ------
    DataError
        The data set names no parts.
    """
    named = table.frame["part"].to_numpy(dtype=object)
    if not (named == "train").any():
        raise DataError(
            f"{table.name} has no official training part; use data.split=grouped or data.split=FILE.csv"
        )
    if (named == "validation").any():
        return _checked(table, named, "the data set's official parts")
    train = np.flatnonzero(named == "train")
    named[train[_held_out(table, train, validation, seed)]] = "validation"
    return _checked(
        table, named, f"the official parts; {validation:.0%} of training held out by lesion (seed {seed})"
    )


def grouped(table: LesionTable, *, validation: float, test: float, seed: int) -> Split:
    """Hold out by lesion (by patient where known), the classes in proportion."""
    parts = np.full(len(table), "train", dtype=object)
    everything = np.arange(len(table))
    if test:
        parts[_held_out(table, everything, test, seed)] = "test"
    rest = np.flatnonzero(parts == "train")
    parts[rest[_held_out(table, rest, validation / (1 - test), seed)]] = "validation"
    how = f"{1 - validation - test:.0%} / {validation:.0%} / {test:.0%} by lesion, stratified by class (seed {seed})"
    return _checked(table, parts, how)


def from_file(table: LesionTable, file: Path, *, validation: str, test: str) -> Split:
    """Read ``image_id,part``; the parts named validation and test are those, all others train.

    Raises
    ------
    DataError
        The file is missing or has other columns, a part it should hold is not in it, or images have no part.
    """
    try:
        frame = pd.read_csv(file, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the split {file}: {getattr(error, 'strerror', None) or error}"
        ) from error
    if not {"image_id", "part"} <= set(frame.columns):
        raise DataError(f"the split {file} has columns {list(frame.columns)}; needed: image_id, part")
    if validation not in set(frame["part"]):
        found = ", ".join(sorted(set(frame["part"])))
        raise DataError(f"the split {file} has no part {validation!r} to validate on; it has {found}")
    renamed = {validation: "validation", test: "test"}
    part = dict(zip(frame["image_id"], frame["part"], strict=True))
    ids = table.frame["image_id"]
    without = [image for image in ids if image not in part]
    if without:
        raise DataError(f"{len(without)} images have no part in {file}, for example {', '.join(without[:5])}")
    named = np.array([renamed.get(part[image], "train") for image in ids], dtype=object)
    return _checked(table, named, f"{file.name}: {validation!r} validates, {test!r} tests, the rest trains")


def _held_out(table: LesionTable, among: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """Choose positions within ``among``: one fold of a stratified, grouped cross-validation."""
    folds = max(2, round(1 / share))
    diagnosis = table.frame["diagnosis"].to_numpy(dtype=str)[among]
    groups = table.groups.astype(str)[among]
    if len(set(groups)) < folds:
        raise DataError(
            f"{len(set(groups))} lesions are too few to hold out {share:.0%}; give more images, or data.split=FILE.csv"
        )
    chooser = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rare classes; what became of them is told in the remarks
        held: NDArray[np.int64] = next(chooser.split(among, diagnosis, groups))[1]
    return held


def _checked(table: LesionTable, named: NDArray[np.object_], how: str) -> Split:
    """Turn a part for each row into a split; say what a reader must not miss."""
    ids = table.frame["image_id"].to_numpy(dtype=str)
    parts = {part: tuple(ids[named == part].tolist()) for part in PARTS if (named == part).any()}
    if not parts.get("train") or not parts.get("validation"):
        raise DataError(
            f"the split leaves nothing to train or to validate on: { ({p: len(i) for p, i in parts.items()}) }"
        )
    remarks = []
    shared = pd.DataFrame({"group": table.groups, "part": named}).groupby("group")["part"].nunique()
    if leaks := int((shared > 1).sum()):
        remarks.append(f"{leaks} lesions have images in more than one part: numbers may be too good")
    for part, there in parts.items():
        held = table.select(there).counts()
        if absent := [name for name, images in held.items() if not images]:
            remarks.append(f"the {part} part has no image of {', '.join(absent)}")
    if "test" not in parts:
        remarks.append(
            "no test part: the numbers are those of the validation part, which also chose the checkpoint, "
            "and are therefore too good"
        )
    return Split(parts, how, tuple(remarks))
