"""What a training run asks of its split before it starts: the leaks that are cheap to find."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.fileio import sha256_of_file
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits, count_group_leakage
from lesionlens.datasets.table import SPLITS, LesionTable


def split_of_rows(table: LesionTable, splits: DatasetSplits) -> NDArray[np.object_]:
    """Give the part of each row, ``""`` for none; of an image that validates and tests, ``test``."""
    part = {image: name for name in SPLITS for image in splits.splits.get(name, ())}
    return np.array([part.get(image, "") for image in table.frame["image_id"]], dtype=object)


def concat_with_split(tables: Sequence[LesionTable], splits: DatasetSplits | None) -> pd.DataFrame:
    """Join tables into one frame with two further columns.

    ``dataset`` is the data set's name, with a number where it comes again; ``split`` is that of ``splits``, which is
    of the first table, or else the official one.
    """
    frames = []
    seen: dict[str, int] = {}
    for place, table in enumerate(tables):
        seen[table.name] = seen.get(table.name, 0) + 1
        again = seen[table.name]
        frame = table.frame.assign(dataset=table.name if again == 1 else f"{table.name} ({again})")
        if splits is not None:
            frame["split"] = split_of_rows(table, splits) if place == 0 else ""
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def find_leakage(table: LesionTable, splits: DatasetSplits) -> tuple[str, ...]:
    """Say which lesions, patients or files lie in more than one part; one sentence a kind, none where all is well.

    Only files of the same size are read. Near duplicates are for ``audit_tables`` to find. Where the split itself
    remarks on lesions, the sentence is the same.
    """
    named = split_of_rows(table, splits)
    return (*count_group_leakage(table, named), *_identical_files(table, named))


def _identical_files(table: LesionTable, split_names: NDArray[np.object_]) -> list[str]:
    ids = table.frame["image_id"].to_numpy(dtype=str)
    places = [int(place) for place in np.flatnonzero(split_names != "")]
    paths = table.paths
    pairs = []
    for alike in _group_by_key({place: _file_size(paths[place]) for place in places}):
        if len({split_names[place] for place in alike}) == 1:
            continue
        for same in _group_by_key({place: sha256_of_file(paths[place]) for place in alike}):
            others = [place for place in same if split_names[place] != split_names[same[0]]]
            pairs += [f"{ids[same[0]]} and {ids[place]}" for place in others]
    if not pairs:
        return []
    verb = "is" if len(pairs) == 1 else "are"
    return [
        f"{pluralize(len(pairs), 'file')} {verb} byte for byte in another part as well "
        f"({', '.join(pairs[:3])}{', …' if len(pairs) > 3 else ''}): numbers may be too good"
    ]


def _file_size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _group_by_key(keys: dict[int, Any]) -> list[list[int]]:
    """Give the groups of two and more with the same key; -1 is none."""
    groups: dict[Any, list[int]] = {}
    for place, key in keys.items():
        if key != -1:
            groups.setdefault(key, []).append(place)
    return [group for group in groups.values() if len(group) > 1]
