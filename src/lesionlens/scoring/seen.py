"""What a network is to see of one image, or why it sees nothing: what threads do ahead of the computing."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import DataError
from lesionlens.preprocessing import Preprocessing
from lesionlens.subjects import InferenceInputs


class PreparedItem(NamedTuple):
    """One image on its way to the network.

    Attributes
    ----------
    index
        Among those that are wanted.
    signature
        Of its files, see ``mark_of``.
    crops
        Its crops, (n, h, w, 3); None where it cannot be used.
    missing_mask
        A model that looks at the box around the lesion sees all of it: no mask, or an empty one.
    failure
        Why it cannot be used, or "".
    """

    index: int
    signature: str
    crops: NDArray[np.uint8] | None
    missing_mask: bool = False
    failure: str = ""


def preprocess_item(preprocessing: Preprocessing, inputs: InferenceInputs, index: int) -> PreparedItem:
    """Decode an image and cut its crops: of the decoded pixels nothing is kept."""
    path, mask = inputs.path[index], inputs.mask[index]
    mark = file_signature(path, mask)
    try:
        image = preprocessing.load_image(path)
        region = preprocessing.lesion_roi(image, mask, path=path)
    except DataError as error:
        return PreparedItem(index, mark, None, failure=str(error))
    whole = region is None and preprocessing.roi_margin is not None
    return PreparedItem(index, mark, preprocessing.extract_crops(image, region), whole)


def file_signature(path: Path, mask: Path | None) -> str:
    """Tell an image and its mask from what may lie there later: by names, sizes and times of change.

    As rsync does: a file of the same name, size and time (to the nanosecond) is the same.
    """
    told = "\n".join(
        "" if file is None else f"{os.path.abspath(file)}\n{_size_and_mtime(file)}" for file in (path, mask)
    )
    return hashlib.blake2b(os.fsencode(told), digest_size=8).hexdigest()


def _size_and_mtime(file: Path) -> str:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return "none"
    return f"{found.st_size} {found.st_mtime_ns}"
