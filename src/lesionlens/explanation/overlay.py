"""Attention maps as semitransparent overlays on their images."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from numpy import ndarray

from lesionlens.core.errors import ModelError

COLORMAP = "viridis"  # perceptually uniform, readable with any color vision, and contains no skin color
UNSEEN_OPACITY = 0.6  # opacity of white where no crop covers the image
IMAGE_GRID_GAP = 100  # ratio of the width of a tile to the gap between tiles


def overlay(
    image: UInt8[ndarray, "h w 3"],
    values: Float[ndarray, "grid_h grid_w"],
    *,
    coverage: Bool[ndarray, "grid_h grid_w"] | None = None,
    alpha: float = 0.6,
    colormap: str = COLORMAP,
) -> UInt8[ndarray, "h w 3"]:
    """Render a map as a colored overlay on its image.

    The map is normalized with ``min_max_normalize`` and resized to the image bilinearly. Opacity increases with the
    value: at 0 the image is unchanged, at 1 it is gray under color of opacity ``alpha``.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    values
        Map of any resolution that covers the complete image.
    coverage
        Where the map has values; the rest is shown under white. Default: everywhere.
    alpha
        Maximum opacity of the color, 0 to 1, default 0.6.
    colormap
        Name of a colormap of matplotlib.

    Returns
    -------
    ndarray
        RGB image, (h, w, 3).

    Raises
    ------
    ModelError
        The map contains values that are not finite.
    """
    size = (image.shape[0], image.shape[1])
    heat = _normalize_and_resize(values, coverage, size)
    color = colormaps[colormap](heat)[..., :3] * 255.0
    heat = heat[..., None]
    # the image under the color turns gray, because viridis blended with skin color is hard to read
    background = image + heat * (image.mean(axis=2, keepdims=True) - image)
    opacity = alpha * np.sqrt(heat)
    return _veil(background * (1.0 - opacity) + color * opacity, coverage, opacity=UNSEEN_OPACITY)


def raw_map_image(
    values: Float[ndarray, "grid_h grid_w"],
    size: tuple[int, int],
    *,
    coverage: Bool[ndarray, "grid_h grid_w"] | None = None,
    colormap: str = COLORMAP,
) -> UInt8[ndarray, "h w 3"]:
    """Render a map in colors without its image, as in the upper row of Datta et al. 2021, Fig. 7.

    Parameters
    ----------
    values, coverage, colormap
        As for ``overlay``; positions without values are white.
    size
        Height and width of the result in pixels.

    Raises
    ------
    ModelError
        The map contains values that are not finite.
    """
    colors = colormaps[colormap](_normalize_and_resize(values, coverage, size))[..., :3] * 255.0
    return _veil(colors, coverage, opacity=1.0)


def _normalize_and_resize(
    values: Float[ndarray, "grid_h grid_w"],
    coverage: Bool[ndarray, "grid_h grid_w"] | None,
    size: tuple[int, int],
) -> Float[ndarray, "h w"]:
    """Normalize a map with ``min_max_normalize`` and resize it to (height, width) bilinearly."""
    normalized = min_max_normalize(values, coverage)
    return np.clip(cv2.resize(normalized, size[::-1], interpolation=cv2.INTER_LINEAR), 0.0, 1.0)


def _veil(
    colors: Float[ndarray, "h w 3"], coverage: Bool[ndarray, "grid_h grid_w"] | None, *, opacity: float
) -> UInt8[ndarray, "h w 3"]:
    """Blend white of an opacity over the pixels that are not covered, and round."""
    if coverage is not None:
        size = (colors.shape[1], colors.shape[0])
        covered = cv2.resize(coverage.astype(np.float64), size, interpolation=cv2.INTER_LINEAR)[..., None]
        colors = colors + opacity * (1 - covered) * (255.0 - colors)
    return np.asarray(np.rint(colors), dtype=np.uint8)


def min_max_normalize(
    values: Float[ndarray, "h w"], coverage: Bool[ndarray, "h w"] | None = None
) -> Float[ndarray, "h w"]:
    """Scale a map to 0 … 1 by its own minimum and maximum.

    A constant map becomes 0 everywhere. Values of two maps cannot be compared afterwards. Positions where
    ``coverage`` is false are ignored and become 0.

    Raises
    ------
    ModelError
        The map contains values that are not finite.

    Examples
    --------
    >>> min_max_normalize(np.array([[0.1, 0.3], [0.2, 0.1]])).round(2).tolist()
    [[0.0, 1.0], [0.5, 0.0]]
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ModelError("a map contains values that are not finite: the network's weights may be corrupt")
    coverage = np.ones(values.shape, dtype=bool) if coverage is None else coverage
    low, high = float(values[coverage].min()), float(values[coverage].max())
    # a constant map may differ in its last digits because of rounding
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return np.zeros_like(values)
    return np.where(coverage, (values - low) / (high - low), 0.0)


def limit_size(image: UInt8[ndarray, "h w 3"], max_size: int) -> UInt8[ndarray, "h2 w2 3"]:
    """Downsample an image so that its longer side has at most ``max_size`` pixels, preserving the aspect ratio."""
    h, w = image.shape[:2]
    scale = max_size / max(h, w)
    if scale >= 1.0:
        return image
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def image_grid(images: Sequence[UInt8[ndarray, "h w 3"]]) -> UInt8[ndarray, "out_h out_w 3"]:
    """Arrange images at half their size row by row, with as many rows as columns to preserve the aspect ratio.

    Parameters
    ----------
    images
        RGB images of the same size, (h, w, 3).
    """
    side = math.ceil(math.sqrt(len(images)))
    h, w = (max(1, round(length / 2)) for length in images[0].shape[:2])
    gap = math.ceil(w / IMAGE_GRID_GAP) if side > 1 else 0
    canvas = np.full((side * h, side * w, 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, side)
        size = (max(1, w - gap), max(1, h - gap))
        tile = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        canvas[row * h : row * h + size[1], column * w : column * w + size[0]] = tile
    return canvas
