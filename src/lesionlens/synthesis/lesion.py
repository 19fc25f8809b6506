"""Sample one lesion (criteria, outline and skin) and render it on its own canvas."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import BinaryMask, ImageSize
from lesionlens.synthesis.canvas import LesionCanvas
from lesionlens.synthesis.class_priors import LesionCriteria, confusion_rate, sample_criteria
from lesionlens.synthesis.pigment import BLOOD, DERMAL_MELANIN, MELANIN, add_layer, empty_pigments
from lesionlens.synthesis.procedural_noise import FloatField, blur, fractal_noise, smoothstep
from lesionlens.synthesis.skin import Skin, sample_skin
from lesionlens.synthesis.structures import STRUCTURE_BITS, STRUCTURES

CANVAS_MARGIN = 1.75  # half the canvas side in radii: space for lobes, streaks and a red halo
_SUN_DAMAGE = {"mel": 0.35, "nv": 0.1, "bcc": 0.6, "akiec": 0.9, "bkl": 0.45, "df": 0.1, "vasc": 0.2}


@dataclass(frozen=True)
class Outline:
    """Shape of one lesion, with lengths in radii.

    Attributes
    ----------
    radius
        Radius in pixels of an image 450 high.
    elongation, angle
        Ratio of the axes, and direction of the long axis in radians.
    lobes
        x, y and size of each lobe in addition to the body.
    irregularity, roughness
        Amplitudes of coarse and fine contour noise.
    softness
        Half-width of the border.
    seed
        Random seed of the contour noise.
    """

    radius: float
    elongation: float
    angle: float
    lobes: tuple[tuple[float, float, float], ...]
    irregularity: float
    roughness: float
    softness: float
    seed: int


@dataclass(frozen=True)
class Lesion:
    """Sampled lesion of one patient, before rendering."""

    criteria: LesionCriteria
    outline: Outline
    skin: Skin
    seed: int


class RenderedLesion(NamedTuple):
    """Rendered lesion without skin.

    Attributes
    ----------
    pigments
        Pigments, (h, w, 4).
    mask
        Lesion mask, (h, w).
    structure_bits
        Bit mask of the structures, (h, w), see ``STRUCTURE_BITS``.
    """

    pigments: FloatField
    mask: BinaryMask
    structure_bits: npt.NDArray[np.uint16]


def sample_lesion(rng: np.random.Generator, code: str, *, difficulty: float) -> Lesion:
    """Sample a lesion of class ``code``."""
    criteria = sample_criteria(rng, code, difficulty=difficulty)
    outline = sample_outline(
        rng,
        radius=criteria.radius,
        asymmetry=criteria.asymmetry,
        irregularity=criteria.irregularity,
        softness=criteria.softness,
    )
    rate = confusion_rate(difficulty)
    sun = float(np.clip(_SUN_DAMAGE[code] * (1 - rate) + 0.35 * rate + rng.normal(0, 0.2), 0, 1))
    return Lesion(criteria, outline, sample_skin(rng, sun_damage=sun), int(rng.integers(2**32)))


def sample_outline(
    rng: np.random.Generator, *, radius: float, asymmetry: float, irregularity: float, softness: float
) -> Outline:
    """Sample a shape; ``asymmetry`` adds lobes and elongation, ``irregularity`` a ragged border (all 0 to 1)."""
    lobes = []
    for _ in range(rng.poisson(2.4 * asymmetry)):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 0.9)
        lobes.append((distance * np.cos(angle), distance * np.sin(angle), rng.uniform(0.3, 0.65)))
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


def render_lesion(lesion: Lesion, *, scale: float = 1.0) -> RenderedLesion:
    """Render a lesion; ``scale`` is image height / 450."""
    rng = np.random.default_rng(lesion.seed)
    size = canvas_size(lesion.outline, scale)
    field = render_outline(lesion.outline, size)
    radius = lesion.outline.radius * scale
    opacity = soft_mask(field, lesion.outline.softness, radius=radius)
    canvas = LesionCanvas(field, opacity, radius, scale)
    pigments = empty_pigments(size)
    _render_body(pigments, canvas, lesion.criteria, rng)
    mask = lesion_mask(field)
    bits = np.zeros(size, np.uint16)
    visible = field > -0.45
    for name in lesion.criteria.structures:
        layer = STRUCTURES[name](canvas, rng, lesion.criteria.disorder)
        add_layer(pigments, layer)
        bits[layer.mask & visible] |= np.uint16(STRUCTURE_BITS[name])
    pigments[..., MELANIN] = np.maximum(pigments[..., MELANIN], -0.05 * opacity)
    # Thick melanin also absorbs red: light brown is orange, dark brown nearly black.
    pigments[..., DERMAL_MELANIN] += 0.45 * np.maximum(pigments[..., MELANIN] - 0.75, 0)
    return RenderedLesion(pigments, mask, bits)


def canvas_size(outline: Outline, scale: float) -> ImageSize:
    """Return the size of the square canvas of a lesion; ``scale`` is image height / 450."""
    side = max(32, round(2 * CANVAS_MARGIN * outline.radius * scale))
    return side, side


def render_outline(outline: Outline, size: ImageSize) -> FloatField:
    """Return the signed distance to the border in radii, (h, w): 1 at the center, 0 at the border, negative outside."""
    rng = np.random.default_rng(outline.seed)
    half = (max(16, size[0] // 2), max(16, size[1] // 2))
    side = np.linspace(-CANVAS_MARGIN, CANVAS_MARGIN, half[0], dtype=np.float32)
    x, y = side[None], side[:, None]
    radial = np.hypot(x, y)
    c, s = np.float32(np.cos(outline.angle)), np.float32(np.sin(outline.angle))
    stretch = np.float32(np.sqrt(outline.elongation))
    along, across = (c * x + s * y) / stretch, (c * y - s * x) * stretch
    field = 1 - np.hypot(along, across)
    for lobe_x, lobe_y, lobe_size in outline.lobes:
        field = np.maximum(
            field, lobe_size - np.hypot(along - np.float32(lobe_x), across - np.float32(lobe_y))
        )
    unit = half[0] / (2 * CANVAS_MARGIN)
    coarse = fractal_noise(rng, half, scale=1.1 * unit, octaves=3)
    field += np.float32(outline.irregularity) * coarse
    field += np.float32(outline.roughness) * fractal_noise(rng, half, scale=0.3 * unit, octaves=5, gain=0.7)
    # The center always belongs to the lesion and the canvas edge never; the border between them is ragged.
    field = np.maximum(field, 0.45 - radial) - smoothstep(
        CANVAS_MARGIN - 0.65, CANVAS_MARGIN - 0.1, radial * (1 + 0.12 * coarse)
    )
    field -= 3 * smoothstep(CANVAS_MARGIN - 0.2, CANVAS_MARGIN - 0.03, radial)
    return np.asarray(cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def soft_mask(field: FloatField, softness: float, *, radius: float) -> FloatField:
    """Return the fraction of the lesion's pigment that is present, 0 to 1, one half at the border, (h, w)."""
    # Light spreads in skin, so that even an abrupt border is blurred by some pixels.
    return blur(smoothstep(-softness, softness, field), (0.012 + 0.045 * softness) * radius + 0.8)


def lesion_mask(field: FloatField) -> BinaryMask:
    """Return the lesion mask, (h, w): inside the border, without small components distance from the body."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((field > 0).astype(np.uint8), connectivity=8)
    large_enough = np.zeros(count, bool)
    large_enough[1:] = stats[1:, cv2.CC_STAT_AREA] > 0.03 * stats[1:, cv2.CC_STAT_AREA].max()
    return np.asarray(large_enough[labels], np.bool_)


def _render_body(
    pigments: FloatField, canvas: LesionCanvas, criteria: LesionCriteria, rng: np.random.Generator
) -> None:
    """Add the pigment that fills the lesion: uneven at all scales, locally deeper, red around the border."""
    size, radius = canvas.size, canvas.radius
    uneven = _texture(rng, size, radius, canvas.scale)
    patches = fractal_noise(rng, size, scale=1.1 * radius, octaves=3)
    v = criteria.variegation
    depth = 0.7 + 0.35 * smoothstep(0, 0.8, canvas.distance_field)
    # Variegated lesions have gaps through which skin is visible.
    gaps = 1 - np.float32(0.8 * v * v) * smoothstep(
        -0.3, 1.3, fractal_noise(rng, size, scale=0.4 * radius, octaves=5, gain=0.6)
    )
    # The pigment border is uneven too: dense grains reach further out.
    density = gaps * canvas.opacity * np.maximum(1 + 0.7 * (1 - canvas.opacity) * uneven, 0)
    body = density * np.maximum(depth * (1 + (0.12 + 0.16 * v) * uneven + 0.42 * v * patches), 0.12)
    pigments[..., MELANIN] += np.float32(criteria.melanin) * body
    pigments[..., BLOOD] += np.float32(criteria.blood) * density * (1 + 0.3 * uneven - 0.3 * v * patches)
    dermal = smoothstep(-0.2, 1.5, fractal_noise(rng, size, scale=0.9 * radius, octaves=4))
    pigments[..., DERMAL_MELANIN] += np.float32(criteria.dermal_melanin) * canvas.opacity * dermal
    halo = smoothstep(-0.5, 0.5, canvas.distance_field) * np.maximum(1 + 0.4 * patches + 0.2 * uneven, 0)
    pigments[..., BLOOD] += np.float32(criteria.halo) * halo


def _texture(rng: np.random.Generator, size: ImageSize, radius: float, scale: float) -> FloatField:
    """Return granular isotropic noise of about unit deviation, (h, w)."""
    grain = fractal_noise(rng, size, scale=8 * scale, octaves=2, gain=0.7)
    rough = fractal_noise(rng, size, scale=0.45 * radius, octaves=5, gain=0.75)
    return np.asarray(0.85 * rough + 0.4 * grain, np.float32)
