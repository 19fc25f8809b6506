"""A map over its image, so that one sees both."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from numpy import ndarray

from lesionlens.core.errors import ModelError

COLORMAP = "viridis"  # even steps in lightness, readable with any colour vision, and no colour of skin
UNSEEN_OPACITY = 0.6  # share of white where no crop looked


def min_max_normalize(
    values: Float[ndarray, "h w"], coverage: Bool[ndarray, "h w"] | None = None
) -> Float[ndarray, "h w"]:
    """Bring a map to 0 … 1 by its own minimum and maximum.

    A constant map prefers no place and becomes 0 everywhere. Values of two maps cannot be compared
    afterwards. Where ``coverage`` is false nothing counts, and the result is 0.

    Raises
    ------
    ModelError
        The map holds values that are not finite.

    Examples
    --------
    >>> min_max_normalize(np.array([[0.1, 0.3], [0.2, 0.1]])).round(2).tolist()
    [[0.0, 1.0], [0.5, 0.0]]
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ModelError("a map holds values that are not finite: the network's weights are probably damaged")
    coverage = np.ones(values.shape, dtype=bool) if coverage is None else coverage
    low, high = float(values[coverage].min()), float(values[coverage].max())
    # rounding alone makes a flat map differ in its last digits: that is no preference
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return np.zeros_like(values)
    return np.where(coverage, (values - low) / (high - low), 0.0)


def overlay(
    image: UInt8[ndarray, "h w 3"],
    values: Float[ndarray, "grid_h grid_w"],
    *,
    coverage: Bool[ndarray, "grid_h grid_w"] | None = None,
    alpha: float = 0.6,
    colormap: str = COLORMAP,
) -> UInt8[ndarray, "h w 3"]:
    """Lay a map over the image that it belongs to.

    The map is scaled with ``min_max_normalize`` and brought to the image's size bilinearly. Colour covers the image the
    more the higher the value is: at 0 the image is untouched, at 1 it is grey under colour with the share
    ``alpha``.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    values
        The map on any grid over the whole image.
    coverage
        Where the map holds anything; what lies elsewhere is veiled in white. By default everywhere.
    alpha
        Greatest share of colour, 0 … 1.
    colormap
        A name of matplotlib.

    Returns
    -------
    ndarray
        RGB, (h, w, 3).

    Raises
    ------
    ModelError
        The map holds values that are not finite.
    """
    h, w = image.shape[:2]
    heat = np.clip(
        cv2.resize(min_max_normalize(values, coverage), (w, h), interpolation=cv2.INTER_LINEAR), 0.0, 1.0
    )
    colour = colormaps[colormap](heat)[..., :3] * 255.0
    heat = heat[..., None]
    # what lies under colour turns grey first: viridis on pink skin would mix to mud
    under = image + heat * (image.mean(axis=2, keepdims=True) - image)
    share = alpha * np.sqrt(heat)
    drawn = under * (1.0 - share) + colour * share
    if coverage is not None:
        veil = (
            UNSEEN_OPACITY
            * (1 - cv2.resize(coverage.astype(np.float64), (w, h), interpolation=cv2.INTER_LINEAR))[..., None]
        )
        drawn = drawn + veil * (255.0 - drawn)
    return np.asarray(np.rint(drawn), dtype=np.uint8)


def limit_size(image: UInt8[ndarray, "h w 3"], max_size: int) -> UInt8[ndarray, "h2 w2 3"]:
    """Bring an image down so that its longer side has at most that many pixels; the aspect stays."""
    h, w = image.shape[:2]
    scale = max_size / max(h, w)
    if scale >= 1.0:
        return image
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


GRID_GAP = 100  # the gap between pictures is a hundredth of a picture's width


def image_grid(images: Sequence[UInt8[ndarray, "h w 3"]]) -> UInt8[ndarray, "out_h out_w 3"]:
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
