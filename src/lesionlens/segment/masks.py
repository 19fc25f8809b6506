"""Lesion masks as files, the true and the predicted ones: read, brought to an image's size, tidied, written."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lesionlens.atomic import atomic_write
from lesionlens.data.fitted_mask import read_lesion_mask, same_aspect_ratio
from lesionlens.errors import DataError

BinaryMask = NDArray[np.bool_]
ImageSize = tuple[int, int]
MASK_SUFFIX = "_segmentation.png"  # the official name: ISIC_0000000_segmentation.png


def read_mask(path: Path, *, size: ImageSize | None = None) -> BinaryMask:
    """Read a mask, (h, w), as ``lesion_pixels`` does.

    Parameters
    ----------
    size
        Of the image; a mask of another size but the same shape is resized to it. None: the mask's own.

    Raises
    ------
    ImageError
        The file is missing or damaged.
    DataError
        Its proportions are not those asked for: it is the mask of something else.
    """
    mask = read_lesion_mask(path)
    if size is None:
        return mask
    if not same_aspect_ratio(mask.shape, size):
        raise DataError(
            f"the mask {path} has {mask.shape[1]} × {mask.shape[0]} pixels, its counterpart {size[1]} × {size[0]}: "
            "other proportions, which resizing would distort"
        )
    return resize_mask(mask, size)


def resize_mask(mask: BinaryMask, size: ImageSize) -> BinaryMask:
    """Resize a mask to (height, width), nearest neighbour."""
    if mask.shape == size:
        return mask
    image = Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(image, dtype=np.bool_)


def keep_largest_component(mask: BinaryMask) -> BinaryMask:
    """Keep the largest connected region (touching at corners counts) and fill its holes; an empty mask stays empty.

    A true mask of the ISIC challenges is one region without holes.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:  # the background alone
        return mask
    largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(ndimage.binary_fill_holes(largest), dtype=np.bool_)


def write_mask(path: Path, mask: BinaryMask) -> None:
    """Write a mask as a PNG of 0 and 255, whole or not at all."""
    content = cv2.imencode(".png", mask.astype(np.uint8) * 255)[1]
    with atomic_write(path) as part:
        part.write_bytes(content.tobytes())
