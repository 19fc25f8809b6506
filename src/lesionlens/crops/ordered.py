"""Square crops of full resolution, at fixed places or anywhere (Gessert et al. 2019)."""

import math
from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import CropBox
from lesionlens.errors import RecipeError

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
                f"there are no {self.count} ordered crops; allowed numbers: {', '.join(map(str, SUPPORTED_CROP_COUNTS))}. "
                "It is crops.train_count or crops.test_count, or model.options.crops=… of a network that takes all "
                "crops of an image at once"
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
