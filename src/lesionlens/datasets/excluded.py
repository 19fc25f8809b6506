"""The images that a run did without, and why: nothing is dropped silently."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.fileio import atomic_write


class ExcludedImage(NamedTuple):
    """An image, or what of it (its mask), that takes no part.

    Attributes
    ----------
    image_id
        The image.
    split
        The part that does without it; ``""`` where it is in none.
    reason
        One sentence.
    """

    image_id: str
    split: str
    reason: str


def write_excluded(path: Path, excluded: Iterable[ExcludedImage]) -> None:
    """Write ``image_id,split,reason``, a header alone where nothing was left out."""
    with atomic_write(path) as part:
        pd.DataFrame(list(excluded), columns=list(ExcludedImage._fields)).to_csv(part, index=False)
