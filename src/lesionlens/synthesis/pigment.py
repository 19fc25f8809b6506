"""Colour of skin from what absorbs light in it: melanin, blood, deep melanin; and what scatters it.

Melanin near the surface looks brown, deep in the dermis it looks blue-grey because short waves are
scattered back above it (the Tyndall effect); haemoglobin takes the green away; keratin, scar and air scatter
everything. Absorption multiplies, so pigments simply add up in four maps until the picture is rendered.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import BinaryMask, ImageSize
from lesionlens.synthesis.procedural_noise import FloatField

MELANIN, BLOOD, DERMAL_MELANIN, SCATTERING = range(4)

# optical density in red, green, blue for one unit of each absorber, matched by eye to dermoscopy
ABSORPTION = np.array([[0.33, 0.80, 1.02], [0.12, 1.00, 0.52], [0.80, 0.60, 0.36]], np.float32)
SCATTER_COLOR = np.array([0.94, 0.89, 0.87], np.float32)


class PigmentLayer(NamedTuple):
    """What one structure adds to each pigment (absent: nothing) and where it is."""

    mask: BinaryMask
    melanin: FloatField | None = None
    blood: FloatField | None = None
    dermal_melanin: FloatField | None = None
    scatter: FloatField | None = None


def empty_pigments(size: ImageSize) -> FloatField:
    """No pigment anywhere; (h, w, 4)."""
    return np.zeros((*size, 4), np.float32)


def add_layer(pigments: FloatField, layer: PigmentLayer) -> None:
    """Add a layer to ``pigments`` (h, w, 4) in place."""
    for channel, amount in enumerate(layer[1:]):
        if amount is not None:
            pigments[..., channel] += amount


def render_pigments(
    base_color: npt.NDArray[np.float32], pigments: FloatField, *, warmth: float = 1.0
) -> FloatField:
    """Colour of skin ``base_color`` (3,) in 0…1 under ``pigments`` (h, w, 4); (h, w, 3) RGB in 0…1.

    ``warmth`` above one makes the melanin more yellow, below one more grey.
    """
    density = np.zeros((3, 5), np.float32)
    density[:, :3] = -ABSORPTION.T
    density[2, MELANIN] *= warmth
    density[:, 4] = np.log(base_color)
    colour = np.asarray(cv2.exp(cv2.transform(pigments, density)), np.float32)
    white = np.clip(pigments[..., SCATTERING], 0, 0.9)
    alpha_blend(colour, white, SCATTER_COLOR * (0.35 + 0.65 * float(base_color.max())))
    return colour


def alpha_blend(image: FloatField, alpha: FloatField, color: npt.NDArray[np.float32]) -> None:
    """Lay ``color`` (3,) or (h, w, 3) over ``image`` (h, w, 3) in place, as opaque as ``alpha`` (h, w)."""
    x, y, w, h = cv2.boundingRect((alpha > 0.004).astype(np.uint8))
    if not w:
        return
    part = image[y : y + h, x : x + w]
    over = color[y : y + h, x : x + w] if color.ndim == 3 else np.broadcast_to(color, part.shape)
    opaque = alpha[y : y + h, x : x + w]
    part += cv2.multiply(over - part, cv2.merge([opaque, opaque, opaque]))
