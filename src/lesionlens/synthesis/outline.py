"""The shape of a lesion: lobes, border irregularity and softness, as a field positive inside."""

from dataclasses import dataclass

import cv2
import numpy as np

from lesionlens.synthesis.noise import FloatField, BinaryMask, ImageSize, blur, fractal_noise, smoothstep

CANVAS_MARGIN = 1.75  # half the canvas side in radii: room for lobes, streaks and a red halo


@dataclass(frozen=True)
class Outline:
    """Shape of one lesion; lengths in radii."""

    radius: float
    """pixels in an image 450 high"""
    elongation: float
    angle: float
    lobes: tuple[tuple[float, float, float], ...]
    """x, y, size of each lobe beside the body"""
    irregularity: float
    roughness: float
    softness: float
    seed: int


def sample_outline(
    rng: np.random.Generator, *, radius: float, asymmetry: float, irregularity: float, softness: float
) -> Outline:
    """Draw a shape: ``asymmetry`` gives lobes and length, ``irregularity`` a ragged border (all 0…1)."""
    lobes = []
    for _ in range(rng.poisson(2.4 * asymmetry)):
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 0.9)
        lobes.append((far * np.cos(turn), far * np.sin(turn), rng.uniform(0.3, 0.65)))
    return Outline(
        radius=radius,
        elongation=1 + abs(rng.normal(0, 0.16 + 0.25 * asymmetry)),
        angle=rng.uniform(0, np.pi),
        lobes=tuple(lobes),
        irregularity=0.09 + 0.3 * irregularity + 0.14 * asymmetry,
        roughness=0.04 + 0.15 * irregularity,
        softness=softness,
        seed=int(rng.integers(2**32)),
    )


def canvas_size(outline: Outline, scale: float) -> ImageSize:
    """Side of the square on which the lesion is painted; ``scale`` is image height / 450."""
    side = max(32, round(2 * CANVAS_MARGIN * outline.radius * scale))
    return side, side


def render_outline(outline: Outline, size: ImageSize) -> FloatField:
    """Field that is one at the centre, zero at the border and negative outside, in radii; (h, w)."""
    rng = np.random.default_rng(outline.seed)
    half = (max(16, size[0] // 2), max(16, size[1] // 2))
    side = np.linspace(-CANVAS_MARGIN, CANVAS_MARGIN, half[0], dtype=np.float32)
    x, y = side[None], side[:, None]
    reach = np.hypot(x, y)
    c, s = np.float32(np.cos(outline.angle)), np.float32(np.sin(outline.angle))
    stretch = np.float32(np.sqrt(outline.elongation))
    along, across = (c * x + s * y) / stretch, (c * y - s * x) * stretch
    field = 1 - np.hypot(along, across)
    for lx, ly, wide in outline.lobes:
        field = np.maximum(field, wide - np.hypot(along - np.float32(lx), across - np.float32(ly)))
    unit = half[0] / (2 * CANVAS_MARGIN)
    coarse = fractal_noise(rng, half, scale=1.1 * unit, octaves=3)
    field += np.float32(outline.irregularity) * coarse
    field += np.float32(outline.roughness) * fractal_noise(rng, half, scale=0.3 * unit, octaves=5, gain=0.7)
    # the centre always belongs to the lesion, the canvas edge never; in between the end is ragged
    field = np.maximum(field, 0.45 - reach) - smoothstep(
        CANVAS_MARGIN - 0.65, CANVAS_MARGIN - 0.1, reach * (1 + 0.12 * coarse)
    )
    field -= 3 * smoothstep(CANVAS_MARGIN - 0.2, CANVAS_MARGIN - 0.03, reach)
    return np.asarray(cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def soft_mask(field: FloatField, softness: float, *, radius: float) -> FloatField:
    """Give how much of the lesion's pigment is present: half on the border; (h, w) in 0…1."""
    # light spreads in skin, so that even an abrupt border is soft by some pixels
    return blur(smoothstep(-softness, softness, field), (0.012 + 0.045 * softness) * radius + 0.8)


def lesion_mask(field: FloatField) -> BinaryMask:
    """Lesion mask: inside the border, without specks of noise far from the body; (h, w)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((field > 0).astype(np.uint8), connectivity=8)
    keep = np.zeros(count, bool)
    keep[1:] = stats[1:, cv2.CC_STAT_AREA] > 0.03 * stats[1:, cv2.CC_STAT_AREA].max()
    return np.asarray(keep[labels], np.bool_)
