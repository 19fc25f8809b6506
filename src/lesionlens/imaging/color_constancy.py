"""Colour constancy: what the light's colour adds is taken away.

The light's colour is estimated from the image alone and divided out of each channel (von Kries). The values are taken
as they are stored, without undoing their gamma, as is usual for dermoscopy (Barata et al. 2015, IEEE J. Biomed. Health
Inform. 19:1146).
"""

import math

import numpy as np
from numpy.typing import NDArray


def gray_world(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Suppose that the image's mean is grey (Buchsbaum 1980): ``shades_of_gray`` with power 1."""
    return shades_of_gray(image, power=1)


def shades_of_gray(image: NDArray[np.uint8], *, power: float = 6) -> NDArray[np.uint8]:
    """Suppose that the Minkowski mean of the image is grey (Finlayson and Trezzi 2004; best at power 6).

    The estimate has length 1, so that a grey one changes nothing: overall brightness is about kept, not exactly.
    A channel that is black throughout stays black; what becomes brighter than white is white.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    power
        1: the mean; the greater, the more the brightest pixels count.

    Examples
    --------
    >>> shades_of_gray(np.full((1, 1, 3), [200, 100, 100], np.uint8)).tolist()
    [[[141, 141, 141]]]
    """
    levels = np.arange(256)
    counts = [np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)]
    light = np.array(
        [(times @ (levels / 255) ** power / image[..., 0].size) ** (1 / power) for times in counts]
    )
    length = float(np.linalg.norm(light))
    gains = np.divide(length, math.sqrt(3) * light, out=np.ones(3), where=light > 0)
    table = np.clip(np.rint(levels[:, None] * gains), 0, 255).astype(np.uint8)
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=2)
