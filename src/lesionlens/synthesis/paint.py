"""An artefact painted over any image, and where it can be seen."""

import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.noise import BinaryMask
from lesionlens.synthesis.overlays import ARTIFACT_RENDERERS, visible_mask

INJECTABLE = ("ruler", "sticker", "ink", "hair", "bubbles")
_REFERENCE_HEIGHT = 450  # pixels of height for which overlays are drawn
_FINE_ARTIFACTS, _MIN_FINE_SCALE = ("ruler", "hair", "bubbles"), 0.6  # of that: finer lines would vanish in small images
_MAX_TRIES = 10


def overlay_artifact(
    rgb: npt.NDArray[np.uint8], artifact: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], BinaryMask]:
    """Paint an artefact over an image (h, w, 3); give the picture, and where it changed, (h, w).

    One that misses the picture is drawn again; where it cannot be seen, on black, the mask is empty.
    """
    before = rgb.astype(np.float32) / np.float32(255)
    scale = min(rgb.shape[:2]) / _REFERENCE_HEIGHT
    scale = max(_MIN_FINE_SCALE, scale) if artifact in _FINE_ARTIFACTS else scale
    for _ in range(_MAX_TRIES):
        after = ARTIFACT_RENDERERS[artifact](before.copy(), rng, scale).clip(0, 1)
        if (mask := visible_mask(before, after)).any():
            break
    return np.asarray(np.round(after * 255), np.uint8), mask
