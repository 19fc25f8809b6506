"""Control maps that know nothing about the network: a random map, a centered Gaussian, and the lesion mask.

Lesions are near the center of dermoscopic images, so a map can look plausible without having found anything.
"""

import zlib

import cv2
import numpy as np
from numpy.random import default_rng

from lesionlens.core.types import BoolArray, FloatArray

RANDOM, CENTER, LESION = "random map", "centered Gaussian", "lesion mask"
CONTROLS = (RANDOM, CENTER, LESION)
_RANDOM_GRID = 7  # cells of a side: the resolution of most last feature maps
_CENTER_SIGMA = 0.25  # of the sides of the image


def random_map(height: int, width: int, *, image_id: str, seed: int = 0) -> FloatArray:
    """Return a smooth random map, (h, w): uniform values on a grid of 7 × 7, resized bilinearly.

    Single random pixels would destroy the texture everywhere, and so would be an unfair control for coarse maps.

    Parameters
    ----------
    image_id, seed
        Name of the image and random seed, which together determine the map.
    """
    grid = default_rng([seed, zlib.crc32(image_id.encode())]).random((_RANDOM_GRID, _RANDOM_GRID))
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float64)


def centered_gaussian(coverage: BoolArray) -> FloatArray:
    """Return a Gaussian, (h, w), in the center of the covered pixels; its σ is a quarter of the sides of their box.

    Examples
    --------
    >>> centered_gaussian(np.ones((3, 3), dtype=bool)).round(2)[1].tolist()
    [0.41, 1.0, 0.41]
    """
    profiles = []
    for axis in (1, 0):
        covered = np.flatnonzero(coverage.any(axis=axis))
        sigma = _CENTER_SIGMA * (covered[-1] - covered[0] + 1)
        offset = np.arange(coverage.shape[1 - axis]) - (covered[0] + covered[-1]) / 2
        profiles.append(np.exp(-0.5 * (offset / sigma) ** 2))
    return np.outer(*profiles)
