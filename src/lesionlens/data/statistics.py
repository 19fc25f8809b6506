"""Mean and standard deviation of a data set's channels."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

ChannelValues = tuple[float, float, float]


def channel_statistics(images: Iterable[NDArray[np.uint8]]) -> tuple[ChannelValues, ChannelValues]:
    """Measure every pixel of all images, each image (h, w, 3).

    Returns
    -------
    mean, std
        Of red, green and blue, on values from 0 to 1; a channel that is the same everywhere has a std of 1.
    """
    pixels, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        count = image.shape[0] * image.shape[1]
        mean, std = (np.asarray(each).reshape(3) / 255 for each in cv2.meanStdDev(image))
        pixels, total, squares = pixels + count, total + count * mean, squares + count * (std**2 + mean**2)
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    std[std < 1e-6] = 1
    return _round_channels(mean), _round_channels(std)


def _round_channels(values: NDArray[np.float64]) -> ChannelValues:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
