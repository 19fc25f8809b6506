"""Patches of several scales from the central part of an image."""

import math
from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import CropBox


@dataclass(frozen=True)
class MultiScaleCrop:
    """Patches of several scales from the central part (Zhang et al. 2019, section IV.B).

    The paper takes 60 patches for training and 9 for testing at 1/5, 2/5, 3/5 and 4/5 of the image's size. It does
    not say how many of each scale, nor what the central part is: here the scales take turns, and a patch's middle
    lies in the central half of each side.

    Attributes
    ----------
    scales
        Patch height over image height, and the same for width.
    """

    scales: tuple[float, ...] = (1 / 5, 2 / 5, 3 / 5, 4 / 5)

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Draw the place of the crop; its number decides its scale."""
        scale = self.scales[index % len(self.scales)]
        box_height, box_width = max(1, round(scale * height)), max(1, round(scale * width))
        return CropBox(
            _sample_near_center(height, box_height, rng), _sample_near_center(width, box_width, rng), box_height, box_width
        )


def _sample_near_center(length: int, crop_length: int, rng: np.random.Generator) -> int:
    """Draw where a part begins so that it stays inside and its middle in the central half."""
    least = max(0, math.ceil(length / 4 - crop_length / 2))
    most = min(length - crop_length, math.floor(3 * length / 4 - crop_length / 2))
    return int(rng.integers(min(least, most), max(least, most) + 1))
