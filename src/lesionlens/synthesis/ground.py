"""The ground on which structures are painted: the lesion's field, its cover and its measures."""

from typing import NamedTuple

import numpy as np

from lesionlens.synthesis.noise import Field, Size, fractal, smoothstep


class Ground(NamedTuple):
    """One lesion's canvas."""

    field: Field
    """(h, w), one at the centre, zero at the border, negative outside, in radii"""
    cover: Field
    """(h, w), 0…1, how much of the lesion's pigment is present"""
    radius: float
    """pixels"""
    scale: float
    """image height / 450"""

    @property
    def size(self) -> Size:
        """Height and width of the canvas."""
        h, w = self.field.shape
        return h, w

    def patch(self, rng: np.random.Generator, *, share: float, coarse: float, rim: float = 0.1) -> Field:
        """Irregular islands on about ``share`` of the lesion, ``coarse`` radii wide; (h, w) in 0…1."""
        noise = fractal(rng, self.size, scale=max(6.0, coarse * self.radius), octaves=5, gain=0.55)
        inside = self.field > rim
        level = float(np.quantile(noise[inside][::7], 1 - share)) if inside.any() else 0.0
        return smoothstep(level - 0.25, level + 0.25, noise) * smoothstep(0, 2 * rim + 0.02, self.field)

    def place(
        self, rng: np.random.Generator, count: int, *, low: float, high: float
    ) -> list[tuple[float, float]]:
        """Up to ``count`` places (x, y) where the field lies between ``low`` and ``high``."""
        y, x = np.nonzero((self.field > low) & (self.field < high))
        if not len(x):
            return []
        chosen = rng.integers(len(x), size=count)
        return [(float(x[i]), float(y[i])) for i in chosen]
