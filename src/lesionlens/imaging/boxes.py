"""A crop's place, and what names it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
    parent: "CropBox | None" = None

    def slices(self) -> tuple[slice, slice]:
        """Give the nearest whole pixels, rows and columns."""
        top, left = round(self.top), round(self.left)
        return slice(top, top + round(self.height)), slice(left, left + round(self.width))

    def shifted(self, down: float, right: float) -> "CropBox":
        """Give the same box elsewhere, with its frame.

        Examples
        --------
        >>> CropBox(1, 2, 3, 4).shifted(10, 20)[:4]
        (11, 22, 3, 4)
        """
        frame = None if self.parent is None else self.parent.shifted(down, right)
        return CropBox(self.top + down, self.left + right, self.height, self.width, frame)


CropStrategy = Callable[[int, int, int, np.random.Generator], CropBox]
"""Height and width of the image, number of the crop, randomness -> box."""


def lesion_bounding_box(mask: NDArray[np.uint8], margin: float) -> CropBox | None:
    """Give the box around all of a mask (h, w), with a margin on each side; None of an empty mask.

    Parameters
    ----------
    mask
        0 outside, anything else inside.
    margin
        Share of the box' height that is added above and below, and of its width left and right, as far as the image
        goes. The paper does not say whether it took one.

    Examples
    --------
    >>> mask = np.zeros((10, 20), np.uint8)
    >>> mask[4:8, 2:12] = 255
    >>> lesion_bounding_box(mask, 0)[:4], lesion_bounding_box(mask, 0.5)[:4]
    ((4, 2, 4, 10), (2, 0, 8, 17))
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom = _expand(rows, margin, mask.shape[0])
    left, right = _expand(columns, margin, mask.shape[1])
    return CropBox(top, left, bottom - top, right - left)


def _expand(indices: NDArray[np.intp], margin: float, length: int) -> tuple[int, int]:
    """First pixel and the one after the last, inside the image."""
    first, last = int(indices[0]), int(indices[-1]) + 1
    extra = round(margin * (last - first))
    return max(0, first - extra), min(length, last + extra)
