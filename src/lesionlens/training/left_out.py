"""The images that a run did without, and why: nothing is dropped silently."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.atomic import replacing


class LeftOut(NamedTuple):
    """An image, or what of it (its mask), that takes no part.

    Attributes
    ----------
    image_id
        The image.
    part
        The part that does without it; ``""`` where it is in none.
    reason
        One sentence.
    """

    image_id: str
    part: str
    reason: str


def write_left_out(file: Path, left_out: Iterable[LeftOut]) -> None:
    """Write ``image_id,part,reason``, a header alone where nothing was left out."""
    with replacing(file) as part:
        pd.DataFrame(list(left_out), columns=list(LeftOut._fields)).to_csv(part, index=False)
