"""Data leakage that is cheap to detect, checked before a training run starts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.fileio import sha256_of_file
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits, SplitCaveat, count_group_leakage
from lesionlens.datasets.table import SPLITS, LesionTable


def split_of_rows(table: LesionTable, splits: DatasetSplits) -> NDArray[np.object_]:
    """Return the split of each row, ``""`` for none, and ``test`` for an image in both validation and test."""
    names = {image: name for name in SPLITS for image in splits.splits.get(name, ())}
    return np.array([names.get(image, "") for image in table.frame["image_id"]], dtype=object)


def concat_with_split(tables: Sequence[LesionTable], splits: DatasetSplits | None) -> pd.DataFrame:
    """Concatenate the frames of several tables, with the column ``dataset`` added.

    ``dataset`` is the name of the dataset, with a number from its second occurrence on. If ``splits`` of the first
    table are given, ``split`` is set from them and empty for the other tables; otherwise it is the official split.
    """
    frames = []
    occurrences: Counter[str] = Counter()
    for index, table in enumerate(tables):
        occurrences[table.name] += 1
        number = occurrences[table.name]
        frame = table.frame.assign(dataset=table.name if number == 1 else f"{table.name} ({number})")
        if splits is not None:
            frame["split"] = split_of_rows(table, splits) if index == 0 else ""
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def find_leakage(table: LesionTable, splits: DatasetSplits) -> tuple[SplitCaveat, ...]:
    """Report lesions, patients and identical files in more than one split, one sentence per kind.

    Only files of equal size are read. Near-duplicates are left to ``audit_tables``. The sentence about lesions is
    identical to that in the caveats of ``splits``.
    """
    split_names = split_of_rows(table, splits)
    return (*count_group_leakage(table, split_names), *_identical_file_caveats(table, split_names))


def _identical_file_caveats(table: LesionTable, split_names: NDArray[np.object_]) -> list[SplitCaveat]:
    ids = table.frame["image_id"].to_numpy(dtype=str)
    pairs = [f"{ids[first]} and {ids[second]}" for first, second in _identical_file_pairs(table, split_names)]
    if not pairs:
        return []
    verb = "has" if len(pairs) == 1 else "have"
    examples = f"{', '.join(pairs[:3])}{', …' if len(pairs) > 3 else ''}"
    text = (
        f"{pluralize(len(pairs), 'file')} {verb} an identical copy in another split ({examples}): "
        "results may be optimistically biased"
    )
    return [SplitCaveat(text, "leakage")]


def _identical_file_pairs(table: LesionTable, split_names: NDArray[np.object_]) -> list[tuple[int, int]]:
    """Return the rows of identical files in different splits, each paired with the first of its group."""
    paths = table.paths
    rows = [int(row) for row in np.flatnonzero(split_names != "")]
    pairs: list[tuple[int, int]] = []
    for same_size in _group_by_key({row: _file_size(paths[row]) for row in rows}):
        if len({split_names[row] for row in same_size}) == 1:
            continue
        for first, *others in _group_by_key({row: sha256_of_file(paths[row]) for row in same_size}):
            pairs += [(first, row) for row in others if split_names[row] != split_names[first]]
    return pairs


def _file_size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _group_by_key(keys: dict[int, Any]) -> list[list[int]]:
    """Return the groups of two or more rows with the same key, ignoring the key -1."""
    groups: dict[Any, list[int]] = {}
    for row, key in keys.items():
        if key != -1:
            groups.setdefault(key, []).append(row)
    return [group for group in groups.values() if len(group) > 1]
