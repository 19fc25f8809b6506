"""Square crops of full resolution, at fixed places or anywhere (Gessert et al. 2019)."""

import math
from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import Box
from lesionlens.errors import RecipeError

ORDERED = (5, 7, 9, 16, 25, 36)


@dataclass(frozen=True)
class Ordered:
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
        if self.count not in ORDERED:
            raise RecipeError(
                f"there are no {self.count} ordered crops; allowed numbers: {', '.join(map(str, ORDERED))}. "
                "It is crops.train_count or crops.test_count, or model.options.crops=… of a network that takes all "
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


def _side(height: int, width: int) -> int:
    """Side of the square crops of Gessert et al. 2019: 224 pixels where the image's shorter side has 450."""
    return max(1, round(224 * min(height, width) / 450))
