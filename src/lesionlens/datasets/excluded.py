"""Images that a run excludes, with the reasons: no image is dropped silently."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.fileio import atomic_write


class ExcludedImage(NamedTuple):
    """An image that is excluded, or used without its mask.

    Attributes
    ----------
    image_id
        ID of the image.
    split
        Split that lacks the image; ``""`` if it is in no split.
    reason
        Reason, as a short phrase or sentence.
    """

    image_id: str
    split: str
    reason: str


def write_excluded(path: Path, excluded: Iterable[ExcludedImage]) -> None:
    """Write a CSV file ``image_id,split,reason``, only the header if no image is excluded."""
    with atomic_write(path) as partial:
        pd.DataFrame(list(excluded), columns=list(ExcludedImage._fields)).to_csv(partial, index=False)
