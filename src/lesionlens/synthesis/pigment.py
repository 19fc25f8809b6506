"""Render skin colors from pigments: absorption by melanin, blood and dermal melanin, and scattering.

Melanin near the surface is brown. In the dermis it is blue-gray, because short waves are scattered back above it (the
Tyndall effect). Hemoglobin absorbs green; keratin, scar and air scatter all wavelengths. Absorption is multiplicative,
so that densities of pigments add up in four maps until an image is rendered.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import BinaryMask, ImageSize
from lesionlens.synthesis.procedural_noise import FloatField

MELANIN, BLOOD, DERMAL_MELANIN, SCATTERING = range(4)

# optical density in red, green and blue of one unit of each absorber, matched visually to dermoscopic images
ABSORPTION = np.array([[0.33, 0.80, 1.02], [0.12, 1.00, 0.52], [0.80, 0.60, 0.36]], np.float32)
SCATTER_COLOR = np.array([0.94, 0.89, 0.87], np.float32)


class PigmentLayer(NamedTuple):
    """Densities that one structure adds to each pigment (None: nothing), and its mask, (h, w) each."""

    mask: BinaryMask
    melanin: FloatField | None = None
    blood: FloatField | None = None
    dermal_melanin: FloatField | None = None
    scatter: FloatField | None = None


def empty_pigments(size: ImageSize) -> FloatField:
    """Return maps without pigment, (h, w, 4)."""
    return np.zeros((*size, 4), np.float32)


def add_layer(pigments: FloatField, layer: PigmentLayer) -> None:
    """Add a layer to ``pigments`` (h, w, 4) in place."""
    for channel, density in enumerate(layer[1:]):
        if density is not None:
            pigments[..., channel] += density


def render_pigments(
    base_color: npt.NDArray[np.float32], pigments: FloatField, *, warmth: float = 1.0
) -> FloatField:
    """Render skin of color ``base_color``, (3,) in 0 to 1, with ``pigments``, (h, w, 4), as RGB in 0 to 1, (h, w, 3).

    ``warmth`` above 1 makes melanin more yellow, below 1 more gray.
    """
    density = np.zeros((3, 5), np.float32)
    density[:, :3] = -ABSORPTION.T
    density[2, MELANIN] *= warmth
    density[:, 4] = np.log(base_color)
    color = np.asarray(cv2.exp(cv2.transform(pigments, density)), np.float32)
    white = np.clip(pigments[..., SCATTERING], 0, 0.9)
    alpha_blend(color, white, SCATTER_COLOR * (0.35 + 0.65 * float(base_color.max())))
    return color


def alpha_blend(image: FloatField, alpha: FloatField, color: npt.NDArray[np.float32]) -> None:
    """Blend ``color``, (3,) or (h, w, 3), top ``image``, (h, w, 3), in place with opacity ``alpha``, (h, w)."""
    x, y, w, h = cv2.boundingRect((alpha > 0.004).astype(np.uint8))
    if not w:
        return
    region = image[y : y + h, x : x + w]
    top = color[y : y + h, x : x + w] if color.ndim == 3 else np.broadcast_to(color, region.shape)
    alpha_region = alpha[y : y + h, x : x + w]
    region += cv2.multiply(top - region, cv2.merge([alpha_region, alpha_region, alpha_region]))
