"""The crops of AttnMel: 224 pixels of the central square at 256 pixels.

Source: Yan 2020, section 3.1, and the authors' code: a square of 80 % of the shorter side from the middle, resized to
256 × 256, of which training takes 224 × 224 anywhere and testing the middle. Both steps are one box in the frame
of the square here; the view is the same to the byte.
"""

from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import Box

RATIO = 0.8
GRID, SEEN = 256, 224


@dataclass(frozen=True)
class OfCentralSquare:
    """A part of the central square.

    Attributes
    ----------
    anywhere
        Drawn (training), or the middle (testing).
    """

    anywhere: bool

    def __call__(self, height: int, width: int, number: int, rng: np.random.Generator) -> Box:
        """Place the part."""
        side = max(1, int(RATIO * min(height, width)))
        free = GRID - SEEN
        top, left = rng.integers(0, free + 1, size=2) if self.anywhere else (free // 2, free // 2)
        pixel = side / GRID  # of the square at 256, in pixels of the image
        square = Box(round((height - side) / 2), round((width - side) / 2), side, side)
        place = (square.top + float(top) * pixel, square.left + float(left) * pixel)
        return Box(*place, SEEN * pixel, SEEN * pixel, frame=square)
