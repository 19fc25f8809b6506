"""Crop boxes, and the box around a lesion mask."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class CropBox(NamedTuple):
    """Rectangle inside an image, in pixels.

    Attributes
    ----------
    top, left, height, width
        Position and size: integers, unless there is a parent box.
    parent
        Larger box, with integer edges, that is resized before this box is extracted. Resampling then uses the pixels
        of the parent around this box, whose edges may be fractional. None: this box is cropped first.
    """

    top: float
    left: float
    height: float
    width: float
    parent: "CropBox | None" = None

    def slices(self) -> tuple[slice, slice]:
        """Return row and column slices, rounded to integers."""
        top, left = round(self.top), round(self.left)
        return slice(top, top + round(self.height)), slice(left, left + round(self.width))

    def shifted(self, down: float, right: float) -> "CropBox":
        """Return a copy of the box, including its parent, moved by ``down`` and ``right`` pixels.

        Examples
        --------
        >>> CropBox(1, 2, 3, 4).shifted(10, 20)[:4]
        (11, 22, 3, 4)
        """
        parent = None if self.parent is None else self.parent.shifted(down, right)
        return CropBox(self.top + down, self.left + right, self.height, self.width, parent)


CropStrategy = Callable[[int, int, int, np.random.Generator], CropBox]
"""Function of image height, image width, crop index and random generator that returns the crop box."""


def lesion_bounding_box(mask: NDArray[np.uint8], margin: float) -> CropBox | None:
    """Return the bounding box of a mask with a margin on each side, or None for an empty mask.

    Parameters
    ----------
    mask
        Mask, (h, w): nonzero inside.
    margin
        Margin as a fraction of the height and width of the box, clipped to the image. The paper does not state
        whether it used one.

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
    """Return the first pixel and the one after the last, with the margin, clipped to the image."""
    first, last = int(indices[0]), int(indices[-1]) + 1
    extra = round(margin * (last - first))
    return max(0, first - extra), min(length, last + extra)
