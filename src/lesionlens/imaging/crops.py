"""Crop strategies: where the crops of an image lie, by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.imaging.boxes import CropBox, CropStrategy


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
    its area: a square could not cover that much of an image of 3 by 4, and training by ``RandomResizedCrop`` sees such
    proportions too. The authors' code does otherwise, see ``CenterCrop``.

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


CROP_RATIO = 0.8
ATTNMEL_RESIZED_SIDE, ATTNMEL_CROP_SIDE = 256, 224


@dataclass(frozen=True)
class CentralSquareCrop:
    """A part of the central square.

    Attributes
    ----------
    random
        Drawn (training), or the middle (testing).
    """

    random: bool

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Place the part."""
        side = max(1, int(CROP_RATIO * min(height, width)))
        free = ATTNMEL_RESIZED_SIDE - ATTNMEL_CROP_SIDE
        top, left = rng.integers(0, free + 1, size=2) if self.random else (free // 2, free // 2)
        pixel = side / ATTNMEL_RESIZED_SIDE  # of the square at 256, in pixels of the image
        square = CropBox(round((height - side) / 2), round((width - side) / 2), side, side)
        place = (square.top + float(top) * pixel, square.left + float(left) * pixel)
        return CropBox(*place, ATTNMEL_CROP_SIDE * pixel, ATTNMEL_CROP_SIDE * pixel, parent=square)


SUPPORTED_CROP_COUNTS = (5, 7, 9, 16, 25, 36)


@dataclass(frozen=True)
class GridCrop:
    """Squares side by side at fixed places, rows from the top (Gessert et al. 2019, section II.D).

    Each side's free pixels are divided evenly and places cut to whole pixels, as in the authors' code.

    Attributes
    ----------
    count
        5: the corners, then the centre; 9, 16, 25, 36: a grid over the whole image; 7: the grid of 9 without the first
        place of its second row and the middle one of its third.

    Raises
    ------
    RecipeError
        Another number.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count not in SUPPORTED_CROP_COUNTS:
            raise RecipeError(
                f"there is no grid of {self.count} crops; allowed numbers: "
                f"{', '.join(map(str, SUPPORTED_CROP_COUNTS))}. It is crops.train_count or crops.test_count, or "
                "model.kwargs.crops=… of a network that takes all crops of an image at once"
            )

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Give the square."""
        side = _square_side(height, width)
        row, column, steps = self._grid_cell(index)
        return CropBox((height - side) * row // steps, (width - side) * column // steps, side, side)

    def _grid_cell(self, index: int) -> tuple[int, int, int]:
        """Row and column of the grid, and how many steps it has from edge to edge."""
        if self.count == 5:
            return (1, 1, 2) if index == 4 else (2 * (index // 2), 2 * (index % 2), 2)
        if self.count == 7:
            index = (0, 1, 2, 4, 5, 6, 8)[index]
        across = math.isqrt(9 if self.count == 7 else self.count)
        return index // across, index % across, across - 1


@dataclass(frozen=True)
class RandomSquareCrop:
    """A square as large as an ordered crop, anywhere (Gessert et al. 2019: training of "Multi-Crop")."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Draw the place."""
        side = _square_side(height, width)
        top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
        return CropBox(top, left, side, side)


def _square_side(height: int, width: int) -> int:
    """Side of the square crops of Gessert et al. 2019: 224 pixels where the image's shorter side has 450."""
    return max(1, round(224 * min(height, width) / 450))


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
            _sample_near_center(height, box_height, rng),
            _sample_near_center(width, box_width, rng),
            box_height,
            box_width,
        )


def _sample_near_center(length: int, crop_length: int, rng: np.random.Generator) -> int:
    """Draw where a part begins so that it stays inside and its middle in the central half."""
    least = max(0, math.ceil(length / 4 - crop_length / 2))
    most = min(length - crop_length, math.floor(3 * length / 4 - crop_length / 2))
    return int(rng.integers(min(least, most), max(least, most) + 1))


CropName = Literal[
    "full",
    "center-square",
    "random-resized",
    "multi-scale",
    "grid",
    "random-square",
    "attnmel-center",
    "attnmel-random",
    "gessert-center",
    "gessert-center-336",
]

_STRATEGIES: dict[CropName, Callable[[int], CropStrategy]] = {
    "full": lambda _: FullImage(),
    "center-square": lambda _: CenterSquareCrop(),
    "random-resized": lambda _: RandomResizedCrop(),
    "multi-scale": lambda _: MultiScaleCrop(),
    "grid": GridCrop,
    "random-square": lambda _: RandomSquareCrop(),
    "attnmel-center": lambda _: CentralSquareCrop(random=False),
    "attnmel-random": lambda _: CentralSquareCrop(random=True),
    "gessert-center": lambda _: CenterCropByArea(),
    "gessert-center-336": lambda _: CenterCrop(),
}


def make_crop_strategy(name: str, count: int) -> CropStrategy:
    """Give a strategy by name, for so many crops of an image.

    Raises
    ------
    RecipeError
        No such strategy, or not for this number of crops.

    Examples
    --------
    >>> import numpy as np
    >>> make_crop_strategy("grid", 9)(450, 600, 8, np.random.default_rng(0))[:4]
    (226, 376, 224, 224)
    """
    for known in get_args(CropName):
        if known == name:
            return _STRATEGIES[known](count)
    raise RecipeError(unknown_name_message("crop strategy", name, get_args(CropName)))
