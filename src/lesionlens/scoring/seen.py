"""What a network is to see of one image, or why it sees nothing: what threads do ahead of the computing."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import DataError
from lesionlens.preprocessing import Preprocessing
from lesionlens.subjects import Subjects


class Seen(NamedTuple):
    """One image on its way to the network.

    Attributes
    ----------
    place
        Among those that are wanted.
    mark
        Of its files, see ``mark_of``.
    views
        Its crops, (n, h, w, 3); None where it cannot be used.
    whole
        A model that looks at the box around the lesion sees all of it: no mask, or an empty one.
    reason
        Why it cannot be used, or "".
    """

    place: int
    mark: str
    views: NDArray[np.uint8] | None
    whole: bool = False
    reason: str = ""


def see(preprocessing: Preprocessing, wanted: Subjects, place: int) -> Seen:
    """Decode an image and cut its crops: of the decoded pixels nothing is kept."""
    path, mask = wanted.path[place], wanted.mask[place]
    mark = mark_of(path, mask)
    try:
        image = preprocessing.decode(path)
        region = preprocessing.region(image, mask, path=path)
    except DataError as error:
        return Seen(place, mark, None, reason=str(error))
    whole = region is None and preprocessing.roi is not None
    return Seen(place, mark, preprocessing.views(image, region), whole)


def mark_of(path: Path, mask: Path | None) -> str:
    """Tell an image and its mask from what may lie there later: by names, sizes and times of change.

    As rsync does: a file of the same name, size and time (to the nanosecond) is the same.
    """
    told = "\n".join(
        "" if file is None else f"{os.path.abspath(file)}\n{_state(file)}" for file in (path, mask)
    )
    return hashlib.blake2b(os.fsencode(told), digest_size=8).hexdigest()


def _state(file: Path) -> str:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return "none"
    return f"{found.st_size} {found.st_mtime_ns}"
