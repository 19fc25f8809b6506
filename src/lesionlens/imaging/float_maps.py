"""Continuous maps of images, such as gaze densities, and maps of fixation points, from PNG or NumPy files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.imaging.decode import read_samples
from lesionlens.imaging.limits import MAX_PIXELS
from lesionlens.imaging.masks import ImageSize, check_aspect_ratio

FLOAT_MAP_SUFFIXES = (".npy", ".png")


def read_float_map(path: Path, size: ImageSize) -> FloatArray:
    """Read a continuous map, scale its maximum to 1 and resize it to its image bilinearly, (h, w).

    Parameters
    ----------
    path
        Gray PNG of 8 or 16 bits, or a NumPy array ``.npy`` (h, w) of numbers. Values have any scale.
    size
        Height and width of the image as it is used.

    Raises
    ------
    DataError
        The file cannot be read, has colors or another aspect ratio than the image, or its values are negative, not
        finite or all equal.
    """
    values = _read_levels(path).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise DataError(
            f"the map {path} contains values that are negative or not finite; a density has neither. Correct it"
        )
    if values.min() == values.max():
        raise DataError(
            f"all values of the map {path} are {values.flat[0]:g}, so nothing can be compared with it. Remove it"
        )
    check_aspect_ratio(path, values.shape, size)
    values /= values.max()  # before the conversion to float32 and before sums, as values have any scale
    if values.shape == size:
        return values
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR), dtype=np.float64).clip(
        min=0
    )


def read_fixations(path: Path, size: ImageSize) -> BoolArray:
    """Read a map of fixation points, nonzero where an observer looked, and move its points to the image, (h, w).

    No point is lost if the map is larger than the image; points in one pixel are one point.

    Raises
    ------
    DataError
        The file cannot be read, has colors or another aspect ratio than the image, or no point.
    """
    points = _read_levels(path) != 0
    if not points.any():
        raise DataError(f"the map of fixations {path} has no point, no value other than 0. Remove it")
    check_aspect_ratio(path, points.shape, size)
    rows, columns = np.nonzero(points)
    fixations = np.zeros(size, dtype=bool)
    fixations[rows * size[0] // points.shape[0], columns * size[1] // points.shape[1]] = True
    return fixations


def _read_levels(path: Path) -> NDArray[Any]:
    """Return the numbers of a file, (h, w); Python objects in NumPy files are never loaded."""
    if path.suffix.lower() == ".npy":
        return _read_numpy(path)
    try:
        samples = read_samples(path)
    except ImageError as error:
        raise DataError(str(error)) from error
    levels = samples.values
    if levels.ndim == 3 and (levels == levels[..., :1]).all():
        levels = levels[..., 0]
    if levels.ndim != 2 or samples.palette is not None:
        raise DataError(
            f"the map {path} has colors; the values of a map must be gray levels. Save it as a gray PNG or .npy"
        )
    return np.asarray(levels)


def _read_numpy(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the map {path} cannot be read as a NumPy array of numbers: {error}") from error
    if (
        not isinstance(array, np.ndarray)
        or array.ndim != 2
        or array.dtype.kind not in "fiub"
        or not array.size
    ):
        content = f"{array.shape} of {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise DataError(f"the map {path} must be an array (height, width) of numbers; it is {content}")
    if array.size > MAX_PIXELS:
        raise DataError(f"the map {path} has {array.size:,} values; at most {MAX_PIXELS:,} are allowed")
    return np.array(array)
