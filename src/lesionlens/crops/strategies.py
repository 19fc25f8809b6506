"""Where to crop: strategies that name a box for the n-th crop of an image of any size."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from lesionlens.errors import RecipeError, unknown

CropName = Literal["whole", "center", "random-resized", "multiscale", "ordered", "random"]
ORDERED = (5, 7, 9, 16, 25, 36)


class Box(NamedTuple):
    """A rectangle in pixels, inside the image."""

    top: int
    left: int
    height: int
    width: int


Strategy = Callable[[int, int, int, np.random.Generator], Box]
"""Height and width of the image, number of the crop, randomness -> box."""


@dataclass(frozen=True)
class Whole:
    """The whole frame; its aspect ratio is not kept when it is resized."""

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Give the frame."""
        return Box(0, 0, height, width)


@dataclass(frozen=True)
class Center:
    """The largest square in the middle."""

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Give the square."""
        side = min(height, width)
        return Box((height - side) // 2, (width - side) // 2, side, side)


@dataclass(frozen=True)
class RandomResized:
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

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Draw a box; one that would leave the image is cut to its size."""
        share = rng.uniform(*self.area) * height * width
        ratio = math.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
        box_width = min(width, max(1, round(math.sqrt(share * ratio))))
        box_height = min(height, max(1, round(math.sqrt(share / ratio))))
        top = int(rng.integers(0, height - box_height + 1))
        left = int(rng.integers(0, width - box_width + 1))
        return Box(top, left, box_height, box_width)


@dataclass(frozen=True)
class Multiscale:
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

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Draw the place of the crop; its number decides its scale."""
        scale = self.scales[number % len(self.scales)]
        box_height, box_width = max(1, round(scale * height)), max(1, round(scale * width))
        return Box(
            _near_middle(height, box_height, rng), _near_middle(width, box_width, rng), box_height, box_width
        )


def _near_middle(length: int, part: int, rng: np.random.Generator) -> int:
    """Draw where a part begins so that it stays inside and its middle in the central half."""
    least = max(0, math.ceil(length / 4 - part / 2))
    most = min(length - part, math.floor(3 * length / 4 - part / 2))
    return int(rng.integers(min(least, most), max(least, most) + 1))


def _side(height: int, width: int) -> int:
    """Side of the square crops of Gessert et al. 2019: 224 pixels where the image's shorter side has 450."""
    return max(1, round(224 * min(height, width) / 450))


@dataclass(frozen=True)
class Ordered:
    """Squares side by side at fixed places, rows from the top (Gessert et al. 2019, section III.B).

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
        if self.count not in ORDERED:
            raise RecipeError(
                f"there are no {self.count} ordered crops; allowed numbers: {', '.join(map(str, ORDERED))}. "
                "It is crops.train_count or crops.test_count, or model.options={crops: …} of a network that takes all "
                "crops of an image at once"
            )

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Give the square."""
        side = _side(height, width)
        row, column, steps = self._place(number)
        return Box((height - side) * row // steps, (width - side) * column // steps, side, side)

    def _place(self, number: int) -> tuple[int, int, int]:
        """Row and column of the grid, and how many steps it has from edge to edge."""
        if self.count == 5:
            return (1, 1, 2) if number == 4 else (2 * (number // 2), 2 * (number % 2), 2)
        if self.count == 7:
            number = (0, 1, 2, 4, 5, 6, 8)[number]
        across = math.isqrt(9 if self.count == 7 else self.count)
        return number // across, number % across, across - 1


@dataclass(frozen=True)
class RandomPlace:
    """A square as large as an ordered crop, anywhere (Gessert et al. 2019: training of "Multi-Crop")."""

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Draw the place."""
        side = _side(height, width)
        top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
        return Box(top, left, side, side)


_STRATEGIES: dict[CropName, Callable[[int], Strategy]] = {
    "whole": lambda _: Whole(),
    "center": lambda _: Center(),
    "random-resized": lambda _: RandomResized(),
    "multiscale": lambda _: Multiscale(),
    "ordered": Ordered,
    "random": lambda _: RandomPlace(),
}


def strategy(name: str, count: int) -> Strategy:
    """Give a strategy by name, for so many crops of an image.

    Raises
    ------
    RecipeError
        No such strategy, or not for this number of crops.

    Examples
    --------
    >>> import numpy as np
    >>> strategy("ordered", 9)(450, 600, 8, np.random.default_rng(0))
    Box(top=226, left=376, height=224, width=224)
    """
    for known in get_args(CropName):
        if known == name:
            return _STRATEGIES[known](count)
    raise RecipeError(unknown("crop strategy", name, get_args(CropName)))
