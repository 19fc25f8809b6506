"""The ground on which structures are painted: the lesion's field, its cover and its measures."""

from typing import NamedTuple

import numpy as np

from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.procedural_noise import FloatField, fractal_noise, smoothstep


class LesionCanvas(NamedTuple):
    """One lesion's canvas."""

    distance_field: FloatField
    """(h, w), one at the centre, zero at the border, negative outside, in radii"""
    opacity: FloatField
    """(h, w), 0…1, how much of the lesion's pigment is present"""
    radius: float
    """pixels"""
    scale: float
    """image height / 450"""

    @property
    def size(self) -> ImageSize:
        """Height and width of the canvas."""
        h, w = self.distance_field.shape
        return h, w

    def random_patch(
        self, rng: np.random.Generator, *, area_fraction: float, feature_size: float, rim: float = 0.1
    ) -> FloatField:
        """Irregular islands on about ``area_fraction`` of the lesion, ``feature_size`` radii wide; (h, w) in 0…1."""
        noise = fractal_noise(
            rng, self.size, scale=max(6.0, feature_size * self.radius), octaves=5, gain=0.55
        )
        inside = self.distance_field > rim
        level = float(np.quantile(noise[inside][::7], 1 - area_fraction)) if inside.any() else 0.0
        return smoothstep(level - 0.25, level + 0.25, noise) * smoothstep(
            0, 2 * rim + 0.02, self.distance_field
        )

    def sample_points(
        self, rng: np.random.Generator, count: int, *, low: float, high: float
    ) -> list[tuple[float, float]]:
        """Up to ``count`` places (x, y) where the field lies between ``low`` and ``high``."""
        y, x = np.nonzero((self.distance_field > low) & (self.distance_field < high))
        if not len(x):
            return []
        chosen = rng.integers(len(x), size=count)
        return [(float(x[i]), float(y[i])) for i in chosen]
