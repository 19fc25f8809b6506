"""A mask as its image is used: black or white, at the image's size."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lesionlens.core.errors import DataError
from lesionlens.core.fileio import atomic_write
from lesionlens.imaging.decode import read_rgb

BinaryMask = npt.NDArray[np.bool_]
ImageSize = tuple[int, int]

ASPECT_TOLERANCE = 0.01
MASK_THRESHOLD = 128  # grey levels above it are lesion, as in the official scorer of the ISIC challenges


def read_lesion_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask, (h, w): lesion is what is brighter than the middle, or 1 where there are 0 and 1 alone.

    So the faint noise about the outline of a mask that was saved as a JPEG is none of it.

    Raises
    ------
    ImageError
        The file is missing or damaged.
    """
    grey = read_rgb(path).max(axis=2)
    return np.asarray(grey > (MASK_THRESHOLD if grey.max() > 1 else 0))


def load_mask(path: Path, size: ImageSize, *, image_path: str | Path) -> NDArray[np.uint8]:
    """Read a mask and bring it to its image's height and width.

    A mask of another size is resized with antialiasing; pixels that are half covered or more are in it.

    Parameters
    ----------
    path
        The mask, as for ``read_lesion_mask``.
    size
        Height and width of the image as it is used.
    image_path
        The image's file, for the message.

    Returns
    -------
    ndarray
        0 outside and 255 inside, (h, w).

    Raises
    ------
    ImageError
        The mask cannot be read.
    DataError
        Its proportions are not those of the image: off by more than 1 %, and by more than a pixel of rounding.
    """
    mask = read_lesion_mask(path)
    if not same_aspect_ratio(mask.shape, size):
        raise DataError(
            f"the mask {path} has {mask.shape[1]} × {mask.shape[0]} pixels, its image {image_path}, as it is used, "
            f"{size[1]} × {size[0]}: "
            "a mask must have the proportions of its image"
        )
    found = Image.fromarray(mask.astype(np.uint8) * 255)
    if mask.shape != size:
        found = found.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.where(np.asarray(found) >= 128, 255, 0).astype(np.uint8)


def same_aspect_ratio(actual: tuple[int, ...], expected: ImageSize) -> bool:
    """Whether height by width is the same but for 1 %, or for the rounding of a side to whole pixels.

    Examples
    --------
    >>> same_aspect_ratio((450, 600), (384, 512)), same_aspect_ratio((256, 256), (450, 600))
    (True, False)
    >>> same_aspect_ratio((2, 3), (33, 48))
    True
    """
    apart = abs(actual[0] * expected[1] - actual[1] * expected[0])
    return apart <= max(ASPECT_TOLERANCE * actual[0] * expected[1], *actual)


MASK_SUFFIX = "_segmentation.png"  # the official name: ISIC_0000000_segmentation.png


def read_mask(path: Path, *, size: ImageSize | None = None) -> BinaryMask:
    """Read a mask, (h, w), as ``read_lesion_mask`` does.

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
