"""A crop's place, and what names it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A rectangle in pixels, inside the image; edges may lie between pixels."""

    top: float
    left: float
    height: float
    width: float

    def pixels(self) -> tuple[slice, slice]:
        """Give the nearest whole pixels, rows and columns."""
        top, left = round(self.top), round(self.left)
        return slice(top, top + round(self.height)), slice(left, left + round(self.width))


Strategy = Callable[[int, int, int, np.random.Generator], Box]
"""Height and width of the image, number of the crop, randomness -> box."""
