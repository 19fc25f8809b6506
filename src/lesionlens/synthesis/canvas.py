"""Canvas of one lesion, on which dermoscopic structures are rendered: distance field, opacity and scale."""

from typing import NamedTuple

import numpy as np

from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.procedural_noise import FloatField, fractal_noise, smoothstep


class LesionCanvas(NamedTuple):
    """Canvas of one lesion.

    Attributes
    ----------
    distance_field
        Signed distance to the border in radii, (h, w): 1 at the center, 0 at the border, negative outside.
    opacity
        Fraction of the lesion's pigment that is present, 0 to 1, (h, w).
    radius
        Radius of the lesion in pixels.
    scale
        Image height / 450.
    """

    distance_field: FloatField
    opacity: FloatField
    radius: float
    scale: float

    @property
    def size(self) -> ImageSize:
        """Height and width of the canvas."""
        h, w = self.distance_field.shape
        return h, w

    def random_patch(
        self, rng: np.random.Generator, *, area_fraction: float, feature_size: float, rim: float = 0.1
    ) -> FloatField:
        """Return irregular patches ``feature_size`` radii wide on about ``area_fraction`` of the lesion, (h, w)."""
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
        """Sample up to ``count`` points (x, y) at which the distance field is between ``low`` and ``high``."""
        y, x = np.nonzero((self.distance_field > low) & (self.distance_field < high))
        if not len(x):
            return []
        chosen = rng.integers(len(x), size=count)
        return [(float(x[i]), float(y[i])) for i in chosen]
