"""The crops of AttnMel: 224 pixels of the central square at 256 pixels.

Source: Yan 2020, section 3.1, and the authors' code: a square of 80 % of the shorter side from the middle, resized to
256 × 256, of which training takes 224 × 224 anywhere and testing the middle. Both steps are one box in the frame
of the square here; the view is the same to the byte.
"""

from dataclasses import dataclass

import numpy as np

from lesionlens.crops.box import CropBox

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
