"""An artefact painted over any image, and where it can be seen."""

import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.noise import Mask
from lesionlens.synthesis.overlays import OVERLAYS, covered

PLANTED = ("ruler", "sticker", "ink", "hair", "bubbles")
_ROWS = 450  # pixels of height for which overlays are drawn
_FINE, _FINEST = ("ruler", "hair", "bubbles"), 0.6  # of that: finer lines would vanish in small images
_TRIES = 10


def paint(
    rgb: npt.NDArray[np.uint8], artefact: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Paint an artefact over an image (h, w, 3); give the picture, and where it changed, (h, w).

    One that misses the picture is drawn again; where it cannot be seen, on black, the mask is empty.
    """
    before = rgb.astype(np.float32) / np.float32(255)
    scale = min(rgb.shape[:2]) / _ROWS
    scale = max(_FINEST, scale) if artefact in _FINE else scale
    for _ in range(_TRIES):
        after = OVERLAYS[artefact](before.copy(), rng, scale).clip(0, 1)
        if (mask := covered(before, after)).any():
            break
    return np.asarray(np.round(after * 255), np.uint8), mask
