"""A mask as its image is used: black or white, at the image's size."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.data.images import read_rgb
from lesionlens.errors import DataError

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
        The mask, as for ``lesion_pixels``.
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
    >>> proportional((450, 600), (384, 512)), proportional((256, 256), (450, 600)), proportional((2, 3), (33, 48))
    (True, False, True)
    """
    apart = abs(actual[0] * expected[1] - actual[1] * expected[0])
    return apart <= max(ASPECT_TOLERANCE * actual[0] * expected[1], *actual)
