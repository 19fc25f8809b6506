"""Crop strategies by name: the boxes at which crops are extracted from an image."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.imaging.boxes import CropBox, CropStrategy


@dataclass(frozen=True)
class FullImage:
    """The complete image; resizing does not preserve its aspect ratio."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the complete image."""
        return CropBox(0, 0, height, width)


@dataclass(frozen=True)
class CenterSquareCrop:
    """The largest centered square."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the square."""
        side = min(height, width)
        return CropBox((height - side) // 2, (width - side) // 2, side, side)


@dataclass(frozen=True)
class CenterCropByArea:
    """A centered rectangle with the aspect ratio of the image.

    Gessert et al. 2019, section II.D, "Single-Crop": "a center crop that covers 85% of the image". This is interpreted
    as 85 % of the area: a square cannot cover that much of a 3:4 image, and ``RandomResizedCrop`` uses such aspect
    ratios in training as well. The code of the authors differs, see ``CenterCrop``.

    Attributes
    ----------
    area
        Fraction of the image area.
    """

    area: float = 0.85

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the rectangle."""
        side = math.sqrt(self.area)
        return _centered_box(height, width, round(side * height), round(side * width))


@dataclass(frozen=True)
class CenterCrop:
    """A centered square.

    To evaluate "Single-Crop", the code of Gessert et al. 2019 crops 336 × 336 pixels of 450 × 600: 42 % of the area.

    Attributes
    ----------
    side
        Side of the square as a fraction of the shorter side of the image.
    """

    side: float = 336 / 450

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the square."""
        side = round(self.side * min(height, width))
        return _centered_box(height, width, side, side)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random rectangle with random area and aspect ratio (Szegedy et al. 2015, section 6).

    Attributes
    ----------
    area
        Minimum and maximum fraction of the image area.
    ratio
        Minimum and maximum of width / height, sampled on a logarithmic scale.
    """

    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Sample a box; its sides are limited to those of the image."""
        area = rng.uniform(*self.area) * height * width
        ratio = math.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
        box_width = min(width, max(1, round(math.sqrt(area * ratio))))
        box_height = min(height, max(1, round(math.sqrt(area / ratio))))
        top = int(rng.integers(0, height - box_height + 1))
        left = int(rng.integers(0, width - box_width + 1))
        return CropBox(top, left, box_height, box_width)


def _centered_box(height: int, width: int, box_height: int, box_width: int) -> CropBox:
    """Return a centered box with integer position and at least one pixel per side."""
    box_height, box_width = max(1, box_height), max(1, box_width)
    return CropBox(round((height - box_height) / 2), round((width - box_width) / 2), box_height, box_width)


CROP_RATIO = 0.8
ATTNMEL_RESIZED_SIDE, ATTNMEL_CROP_SIDE = 256, 224


@dataclass(frozen=True)
class CentralSquareCrop:
    """A 224 × 224 crop of the central square at 256 × 256 (AttnMel).

    The square has 0.8 of the shorter side of the image.

    Attributes
    ----------
    random
        Whether the position of the crop is random (training) or centered (testing).
    """

    random: bool

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the crop, with the square as its parent."""
        side = max(1, int(CROP_RATIO * min(height, width)))
        free = ATTNMEL_RESIZED_SIDE - ATTNMEL_CROP_SIDE
        top, left = rng.integers(0, free + 1, size=2) if self.random else (free // 2, free // 2)
        pixel = side / ATTNMEL_RESIZED_SIDE  # size of a pixel of the resized square, in pixels of the image
        square = CropBox(round((height - side) / 2), round((width - side) / 2), side, side)
        position = (square.top + float(top) * pixel, square.left + float(left) * pixel)
        return CropBox(*position, ATTNMEL_CROP_SIDE * pixel, ATTNMEL_CROP_SIDE * pixel, parent=square)


SUPPORTED_CROP_COUNTS = (5, 7, 9, 16, 25, 36)


@dataclass(frozen=True)
class GridCrop:
    """Squares at fixed positions, row by row (Gessert et al. 2019, section II.D).

    The positions are evenly spaced and rounded down to integers, as in the code of the authors.

    Attributes
    ----------
    count
        Number of crops. 5: the corners, then the center; 9, 16, 25, 36: a square grid over the complete image; 7: the
        grid of 9 without the first crop of the second row and the middle crop of the third.

    Raises
    ------
    RecipeError
        ``count`` is not supported.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count not in SUPPORTED_CROP_COUNTS:
            raise RecipeError(
                f"there is no grid of {self.count} crops; allowed: {', '.join(map(str, SUPPORTED_CROP_COUNTS))}. "
                "Set crops.train.count or crops.test.count, or model.kwargs.crops of a multi-crop model"
            )

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the square."""
        side = _square_side(height, width)
        row, column, steps = self._grid_cell(index)
        return CropBox((height - side) * row // steps, (width - side) * column // steps, side, side)

    def _grid_cell(self, index: int) -> tuple[int, int, int]:
        """Return the row and column in the grid, and the number of steps from the first to the last row."""
        if self.count == 5:
            return (1, 1, 2) if index == 4 else (2 * (index // 2), 2 * (index % 2), 2)
        if self.count == 7:
            index = (0, 1, 2, 4, 5, 6, 8)[index]
        across = math.isqrt(9 if self.count == 7 else self.count)
        return index // across, index % across, across - 1


@dataclass(frozen=True)
class RandomSquareCrop:
    """A square of the size of ``GridCrop`` at a random position (Gessert et al. 2019: training of "Multi-Crop")."""

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Sample a box."""
        side = _square_side(height, width)
        top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
        return CropBox(top, left, side, side)


def _square_side(height: int, width: int) -> int:
    """Return the side of the square crops of Gessert et al. 2019: 224 pixels for a shorter side of 450."""
    return max(1, round(224 * min(height, width) / 450))


@dataclass(frozen=True)
class ResizedImageCrop:
    """A crop of the image as if it were resized to 600 × 450 pixels first, whatever its aspect ratio.

    Gessert et al. 2019, section II.A, resize the images of derm7pt to the size of HAM10000. A square of the resized
    image is a rectangle of the image, which is resized to the square input of the network.

    Attributes
    ----------
    crop
        Strategy for an image of 600 × 450 pixels.
    """

    crop: CropStrategy

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Return the box of the crop in pixels of the image, which is its parent."""
        box = self.crop(450, 600, index, rng)
        box_height, top = (_round_edge(length * height / 450) for length in (box.height, box.top))
        box_width, left = (_round_edge(length * width / 600) for length in (box.width, box.left))
        top, left = min(top, height - box_height), min(left, width - box_width)
        return CropBox(top, left, box_height, box_width, parent=CropBox(0, 0, height, width))


def _round_edge(position: float) -> float:
    """Round to 1/1024 of a pixel: exact in the single precision in which Pillow reads edges."""
    return max(1, round(position * 1024)) / 1024 if position else 0.0


@dataclass(frozen=True)
class MultiScaleCrop:
    """Random patches of several scales near the center (Zhang et al. 2019, section IV.B).

    The paper uses 60 patches for training and 9 for testing, at 1/5, 2/5, 3/5 and 4/5 of the image size. It specifies
    neither the number per scale nor the central part: here the scales alternate, and the center of a patch is in the
    central half of each side.

    Attributes
    ----------
    scales
        Patch height / image height, and likewise for the width.
    """

    scales: tuple[float, ...] = (1 / 5, 2 / 5, 3 / 5, 4 / 5)

    def __call__(self, height: int, width: int, index: int, rng: np.random.Generator) -> CropBox:
        """Sample the position of the crop; the scale follows from its index."""
        scale = self.scales[index % len(self.scales)]
        box_height, box_width = max(1, round(scale * height)), max(1, round(scale * width))
        return CropBox(
            _sample_near_center(height, box_height, rng),
            _sample_near_center(width, box_width, rng),
            box_height,
            box_width,
        )


def _sample_near_center(length: int, crop_length: int, rng: np.random.Generator) -> int:
    """Sample the start of an interval that is inside the image, with its center in the central half."""
    first = max(0, math.ceil(length / 4 - crop_length / 2))
    last = min(length - crop_length, math.floor(3 * length / 4 - crop_length / 2))
    return int(rng.integers(min(first, last), max(first, last) + 1))


CropName = Literal[
    "full",
    "center-square",
    "random-resized",
    "multi-scale",
    "grid",
    "random-square",
    "grid-600x450",
    "random-square-600x450",
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
    "grid-600x450": lambda count: ResizedImageCrop(GridCrop(count)),
    "random-square-600x450": lambda _: ResizedImageCrop(RandomSquareCrop()),
    "attnmel-center": lambda _: CentralSquareCrop(random=False),
    "attnmel-random": lambda _: CentralSquareCrop(random=True),
    "gessert-center": lambda _: CenterCropByArea(),
    "gessert-center-336": lambda _: CenterCrop(),
}


RANDOM_SQUARE_CROPS: frozenset[CropName] = frozenset({"random-square", "random-square-600x450"})
RANDOM_CROPS: frozenset[CropName] = RANDOM_SQUARE_CROPS | {"random-resized", "multi-scale", "attnmel-random"}


def make_crop_strategy(name: str, count: int) -> CropStrategy:
    """Return a crop strategy by name, for ``count`` crops per image.

    Raises
    ------
    RecipeError
        The name is unknown, or the strategy does not support the number of crops.

    Examples
    --------
    >>> import numpy as np
    >>> make_crop_strategy("grid", 9)(450, 600, 8, np.random.default_rng(0))[:4]
    (226, 376, 224, 224)
    """
    for crop_name in get_args(CropName):
        if crop_name == name:
            return _STRATEGIES[crop_name](count)
    raise RecipeError(unknown_name_message("crop strategy", name, get_args(CropName)))
