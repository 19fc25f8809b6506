"""What a training run asks of its split before it starts: the leaks that are cheap to find."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.audit.placed import part_of_each
from lesionlens.data.duplicates import digest
from lesionlens.data.problems import counted
from lesionlens.data.splits import Split
from lesionlens.data.splits.split import shared_groups
from lesionlens.data.table import LesionTable


def leaks(table: LesionTable, split: Split) -> tuple[str, ...]:
    """Say which lesions, patients or files lie in more than one part; one sentence a kind, none where all is well.

    Only files of the same size are read. Near duplicates are for ``audit`` to find. Where the split itself remarks on
    lesions, the sentence is the same.
    """
    named = part_of_each(table, split)
    return (*shared_groups(table, named), *_same_files(table, named))


def _same_files(table: LesionTable, named: NDArray[np.object_]) -> list[str]:
    ids = table.frame["image_id"].to_numpy(dtype=str)
    places = [int(place) for place in np.flatnonzero(named != "")]
    paths = table.paths
    pairs = []
    for alike in _grouped({place: _size(paths[place]) for place in places}):
        if len({named[place] for place in alike}) == 1:
            continue
        for same in _grouped({place: digest(paths[place]) for place in alike}):
            others = [place for place in same if named[place] != named[same[0]]]
            pairs += [f"{ids[same[0]]} and {ids[place]}" for place in others]
    if not pairs:
        return []
    verb = "is" if len(pairs) == 1 else "are"
    return [
        f"{counted(len(pairs), 'file')} {verb} byte for byte in another part as well "
        f"({', '.join(pairs[:3])}{', …' if len(pairs) > 3 else ''}): numbers may be too good"
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _grouped(keys: dict[int, Any]) -> list[list[int]]:
    """Give the groups of two and more with the same key; -1 is none."""
    groups: dict[Any, list[int]] = {}
    for place, key in keys.items():
        if key != -1:
            groups.setdefault(key, []).append(place)
    return [group for group in groups.values() if len(group) > 1]
