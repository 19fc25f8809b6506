"""Masks, binary or of probabilities: reading, resizing to the image, cleaning and writing."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lesionlens.core.errors import DataError
from lesionlens.core.fileio import atomic_write
from lesionlens.core.json_file import read_json
from lesionlens.imaging.decode import Samples, read_samples
from lesionlens.imaging.mask_encoding import (
    MIN_PROBABILITY_LEVELS,
    gray_levels,
    lesion_pixels,
    structure_pixels,
)

BinaryMask = NDArray[np.bool_]
ImageSize = tuple[int, int]
"""Height and width in pixels."""

ASPECT_TOLERANCE = 0.01
MASK_PROVENANCE_FILE = "masks.json"
"""File in a directory of predicted masks; its key ``probabilities`` says that gray levels are probabilities."""
MASK_SUFFIX = "_segmentation.png"  # the official name: ISIC_0000000_segmentation.png


def read_mask(path: Path, *, size: ImageSize | None = None, nonzero: bool = False) -> BinaryMask:
    """Read a mask file, (h, w).

    A mask of probabilities (see ``MASK_PROVENANCE_FILE``) is thresholded at 0.5.

    Parameters
    ----------
    path
        An image file of any supported format.
    size
        Height and width of the image. A mask of another size but the same aspect ratio is resized with
        nearest-neighbor interpolation. Default: the size of the file.
    nonzero
        Which pixels belong to the mask. False, for lesion masks: see ``lesion_pixels``. True, for masks of structures:
        see ``structure_pixels``.

    Raises
    ------
    ImageError
        The file is missing or damaged.
    DataError
        It is ambiguous which pixels are inside, or the aspect ratio is not that of ``size``.
    """
    samples = read_samples(path)
    try:
        mask = structure_pixels(samples) if nonzero else _lesion_pixels(path, samples)
    except ValueError as error:
        raise DataError(
            f"the mask {path} is ambiguous: {error}. Save it with 0 outside and 255 inside"
        ) from error
    if size is None:
        return mask
    check_aspect_ratio(path, mask.shape, size)
    return resize_mask(mask, size)


def _lesion_pixels(path: Path, samples: Samples) -> BinaryMask:
    levels = gray_levels(samples)
    if levels is not None and _has_probabilities(path.parent):
        return np.asarray(levels >= 128)
    return lesion_pixels(samples)


def _has_probabilities(mask_dir: Path) -> bool:
    return read_json(mask_dir / MASK_PROVENANCE_FILE).get("probabilities") is True


def load_probabilities(path: Path, size: ImageSize, *, image_path: str | Path) -> NDArray[np.uint8]:
    """Read the probabilities of a lesion mask and resize them to the image with antialiasing.

    Gray levels are probabilities if ``MASK_PROVENANCE_FILE`` says so, or if there are ``MIN_PROBABILITY_LEVELS``.
    Another mask is binary, and is read as by ``load_mask``, whose parameters and errors are the same.

    Returns
    -------
    ndarray
        Probabilities from 0 to 255, (h, w).
    """
    levels = gray_levels(read_samples(path))
    if levels is None or not (
        _has_probabilities(path.parent) or len(np.unique(levels)) >= MIN_PROBABILITY_LEVELS
    ):
        return load_mask(path, size, image_path=image_path)
    check_aspect_ratio(path, levels.shape, size, image_path=image_path)
    return _resize_antialiased(levels, size)


def _resize_antialiased(mask: NDArray[np.uint8], size: ImageSize) -> NDArray[np.uint8]:
    image = Image.fromarray(mask)
    if mask.shape != size:
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)


def load_mask(path: Path, size: ImageSize, *, image_path: str | Path) -> NDArray[np.uint8]:
    """Read a lesion mask and resize it to its image with antialiasing.

    Parameters
    ----------
    path
        The mask file, as for ``read_mask``.
    size
        Height and width of the image as it is used.
    image_path
        The image file, for the error message.

    Returns
    -------
    ndarray
        255 where at least half of a pixel is inside the mask, otherwise 0, (h, w).

    Raises
    ------
    ImageError
        The mask cannot be read.
    DataError
        It is ambiguous which pixels are inside, or the aspect ratio is not that of the image.
    """
    mask = read_mask(path)
    check_aspect_ratio(path, mask.shape, size, image_path=image_path)
    return binarize_mask(_resize_antialiased(mask.astype(np.uint8) * 255, size))


def binarize_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 where a mask is at least 128, a probability of 0.5, otherwise 0."""
    return np.where(mask >= 128, 255, 0).astype(np.uint8)


def check_aspect_ratio(
    path: Path, actual: tuple[int, ...], expected: ImageSize, *, image_path: str | Path = ""
) -> None:
    """Raise an error unless a mask has the aspect ratio of its image.

    Raises
    ------
    DataError
        The ratios differ, see ``same_aspect_ratio``.
    """
    if not same_aspect_ratio(actual, expected):
        image = f"its image {image_path}, as it is used," if image_path else "its image"
        raise DataError(
            f"the mask {path} has {actual[1]} × {actual[0]} pixels, {image} "
            f"{expected[1]} × {expected[0]}: a mask must have the aspect ratio of its image. Replace or remove the mask"
        )


def same_aspect_ratio(actual: tuple[int, ...], expected: ImageSize) -> bool:
    """Return whether two sizes have the same aspect ratio, up to 1 % or the rounding of a side to an integer.

    Examples
    --------
    >>> same_aspect_ratio((450, 600), (384, 512)), same_aspect_ratio((256, 256), (450, 600))
    (True, False)
    >>> same_aspect_ratio((2, 3), (33, 48))
    True
    """
    difference = abs(actual[0] * expected[1] - actual[1] * expected[0])
    return difference <= max(ASPECT_TOLERANCE * actual[0] * expected[1], *actual)


def resize_mask(mask: BinaryMask, size: ImageSize) -> BinaryMask:
    """Resize a mask to (height, width) with nearest-neighbor interpolation."""
    if mask.shape == size:
        return mask
    image = Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(image, dtype=np.bool_)


def keep_largest_component(mask: BinaryMask) -> BinaryMask:
    """Select the largest connected region (8-connectivity) and fill its holes; an empty mask stays empty.

    A ground-truth mask of the ISIC challenges is a single region without holes.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:  # only the background
        return mask
    largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(ndimage.binary_fill_holes(largest), dtype=np.bool_)


def iou(mask_a: BinaryMask | NDArray[np.uint8], mask_b: BinaryMask | NDArray[np.uint8]) -> float:
    """Return the intersection over union (Jaccard index) of two masks of the same size; 1 if both are empty.

    Examples
    --------
    >>> iou(np.array([[255, 255, 0]], np.uint8), np.array([[0, 255, 255]], np.uint8))
    0.3333333333333333
    """
    union = np.count_nonzero(mask_a | mask_b)
    return float(np.count_nonzero(mask_a & mask_b) / union) if union else 1.0


def write_mask(path: Path, mask: BinaryMask) -> None:
    """Write a mask atomically as a PNG of 0 and 255."""
    write_probabilities(path, mask.astype(np.uint8) * np.uint8(255))


def write_probabilities(path: Path, mask: NDArray[np.uint8]) -> None:
    """Write probabilities from 0 to 255 atomically as a gray PNG."""
    content = cv2.imencode(".png", mask)[1]
    with atomic_write(path) as partial:
        partial.write_bytes(content.tobytes())
