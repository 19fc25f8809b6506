"""Crops of one kind: the frame, its middle, a random part."""

import math
from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import CropBox


@dataclass(frozen=True)
class FullImage:
    """The whole frame; its aspect ratio is not kept when it is resized."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Give the frame."""
        return CropBox(0, 0, height, width)


@dataclass(frozen=True)
class CenterSquareCrop:
    """The largest square in the middle."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Give the square."""
        side = min(height, width)
        return CropBox((height - side) // 2, (width - side) // 2, side, side)


@dataclass(frozen=True)
class CenterCropByArea:
    """A share of the image's area from the middle, in the image's proportions.

    Gessert et al. 2019, section II.D, "Single-Crop": "a center crop that covers 85% of the image". This is read as of
    its area: a square could not cover that much of an image of 3 by 4, and training by ``RandomResized`` sees such
    proportions too. The authors' code does otherwise, see ``CenterSquare``.

    Attributes
    ----------
    area
        The share.
    """

    area: float = 0.85

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Give the rectangle."""
        side = math.sqrt(self.area)
        return _centered_box(height, width, round(side * height), round(side * width))


@dataclass(frozen=True)
class CenterCrop:
    """A square in the middle, its side a share of the image's shorter side.

    The code of Gessert et al. 2019 cuts 336 pixels of 450 by 600 to evaluate "Single-Crop": 42 % of the area.

    Attributes
    ----------
    side
        Of the shorter side.
    """

    side: float = 336 / 450

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Give the square."""
        side = round(self.side * min(height, width))
        return _centered_box(height, width, side, side)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random share of the area with a random aspect ratio (Szegedy et al. 2015, section 6).

    Attributes
    ----------
    area
        Least and greatest share of the image's area.
    ratio
        Least and greatest width over height, drawn on a logarithmic scale.
    """

    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Draw a box; one that would leave the image is cut to its size."""
        share = rng.uniform(*self.area) * height * width
        ratio = math.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
        box_width = min(width, max(1, round(math.sqrt(share * ratio))))
        box_height = min(height, max(1, round(math.sqrt(share / ratio))))
        top = int(rng.integers(0, height - box_height + 1))
        left = int(rng.integers(0, width - box_width + 1))
        return CropBox(top, left, box_height, box_width)


def _centered_box(height: int, width: int, box_height: int, box_width: int) -> CropBox:
    """Give the box of at least one pixel, as near the middle as whole pixels allow."""
    box_height, box_width = max(1, box_height), max(1, box_width)
    return CropBox(round((height - box_height) / 2), round((width - box_width) / 2), box_height, box_width)
