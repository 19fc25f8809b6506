"""The region of interest: the box around a lesion (Zhang et al. 2019, section V.D)."""

import numpy as np
from numpy.typing import NDArray

from lesionlens.crops.box import CropBox


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
    >>> lesion_box(mask, 0)[:4], lesion_box(mask, 0.5)[:4]
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
