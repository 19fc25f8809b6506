"""A crop's place, and what names it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class CropBox(NamedTuple):
    """A rectangle in pixels, inside the image.

    Attributes
    ----------
    top, left, height, width
        Whole pixels, but where there is a frame.
    parent
        The larger box (of whole pixels) that is resized before this one is cut from it: resampling sees the frame's
        pixels, and this box's edges may lie between them. None: the box itself is cut first.
    """

    top: float
    left: float
    height: float
    width: float
    parent: "Box | None" = None

    def slices(self) -> tuple[slice, slice]:
        """Give the nearest whole pixels, rows and columns."""
        top, left = round(self.top), round(self.left)
        return slice(top, top + round(self.height)), slice(left, left + round(self.width))

    def shifted(self, down: float, right: float) -> "CropBox":
        """Give the same box elsewhere, with its frame.

        Examples
        --------
        >>> Box(1, 2, 3, 4).moved(10, 20)[:4]
        (11, 22, 3, 4)
        """
        frame = None if self.parent is None else self.parent.shifted(down, right)
        return CropBox(self.top + down, self.left + right, self.height, self.width, frame)


CropStrategy = Callable[[int, int, int, np.random.Generator], CropBox]
"""Height and width of the image, number of the crop, randomness -> box."""
