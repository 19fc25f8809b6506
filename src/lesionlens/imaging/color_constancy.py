"""Color constancy: remove the color of the light source from an image.

The color of the light is estimated from the image, and each channel is divided by it (von Kries). Values are not
converted to linear intensity (no inverse gamma), as is usual for dermoscopy (Barata et al. 2015, IEEE J. Biomed. Health
Inform. 19:1146).
"""

import math

import numpy as np
from numpy.typing import NDArray


def gray_world(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Correct the colors so that the mean of the image is gray (Buchsbaum 1980): ``shades_of_gray`` with power 1."""
    return shades_of_gray(image, power=1)


def shades_of_gray(image: NDArray[np.uint8], *, power: float = 6) -> NDArray[np.uint8]:
    """Correct the colors so that the Minkowski mean of the image is gray (Finlayson and Trezzi 2004).

    The estimated light is scaled to unit length, so that gray light leaves the image unchanged; overall brightness is
    approximately preserved. A black channel stays black, and values above white are clipped.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    power
        Exponent of the Minkowski mean: 1 is the mean, and larger values give more weight to bright pixels. Default: 6,
        the best value in the paper.

    Examples
    --------
    >>> shades_of_gray(np.full((1, 1, 3), [200, 100, 100], np.uint8)).tolist()
    [[[141, 141, 141]]]
    """
    levels = np.arange(256)
    counts = [np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)]
    light = np.array(
        [(count @ (levels / 255) ** power / image[..., 0].size) ** (1 / power) for count in counts]
    )
    length = float(np.linalg.norm(light))
    gains = np.divide(length, math.sqrt(3) * light, out=np.ones(3), where=light > 0)
    table = np.clip(np.rint(levels[:, None] * gains), 0, 255).astype(np.uint8)
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=2)
