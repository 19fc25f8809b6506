"""Many pictures of one image as one: in rows, the first at the top left."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

GRID_GAP = 100  # the gap between pictures is a hundredth of a picture's width


def image_grid(images: Sequence[UInt8[ndarray, "h w 3"]]) -> UInt8[ndarray, "sheet_h sheet_w 3"]:
    """Lay pictures out row by row, half as large, in as many rows as columns, so that the image's aspect stays.

    Parameters
    ----------
    images
        All of one size, (h, w, 3).
    """
    across = math.ceil(math.sqrt(len(images)))
    h, w = (max(1, round(side / 2)) for side in images[0].shape[:2])
    gap = math.ceil(w / GRID_GAP) if across > 1 else 0
    laid = np.full((across * h, across * w, 3), 255, dtype=np.uint8)
    for number, picture in enumerate(images):
        row, column = divmod(number, across)
        size = (max(1, w - gap), max(1, h - gap))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        laid[row * h : row * h + size[1], column * w : column * w + size[0]] = small
    return laid
