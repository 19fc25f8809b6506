"""One lesion: criteria, outline and skin drawn once, painted on a canvas of its own."""

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


_SUN_DAMAGE = {"mel": 0.35, "nv": 0.1, "bcc": 0.6, "akiec": 0.9, "bkl": 0.45, "df": 0.1, "vasc": 0.2}


@dataclass(frozen=True)
class Lesion:
    """One lesion of one patient."""

    criteria: LesionCriteria
    outline: Outline
    skin: Skin
    seed: int


class RenderedLesion(NamedTuple):
    """A painted lesion without skin."""

    pigments: FloatField
    """(h, w, 4)"""
    mask: BinaryMask
    """(h, w)"""
    structure_bits: npt.NDArray[np.uint16]
    """(h, w), structures, see `structures.STRUCTURE_BITS`"""


def sample_lesion(rng: np.random.Generator, code: str, *, difficulty: float) -> Lesion:
    """Draw a lesion of class ``code``."""
    criteria = sample_criteria(rng, code, difficulty=difficulty)
    outline = sample_outline(
        rng,
        radius=criteria.radius,
        asymmetry=criteria.asymmetry,
        irregularity=criteria.irregularity,
        softness=criteria.softness,
    )
    alike = confusion_rate(difficulty)
    sun = float(np.clip(_SUN_DAMAGE[code] * (1 - alike) + 0.35 * alike + rng.normal(0, 0.2), 0, 1))
    return Lesion(criteria, outline, sample_skin(rng, sun_damage=sun), int(rng.integers(2**32)))


def render_lesion(lesion: Lesion, *, scale: float = 1.0) -> RenderedLesion:
    """Paint a lesion; ``scale`` is image height / 450."""
    rng = np.random.default_rng(lesion.seed)
    size = canvas_size(lesion.outline, scale)
    field = render_outline(lesion.outline, size)
    radius = lesion.outline.radius * scale
    cover = soft_mask(field, lesion.outline.softness, radius=radius)
    ground = LesionCanvas(field, cover, radius, scale)
    pigments = empty_pigments(size)
    _render_body(pigments, ground, lesion.criteria, rng)
    mask = lesion_mask(field)
    bits = np.zeros(size, np.uint16)
    near = field > -0.45
    for name in lesion.criteria.structures:
        layer = STRUCTURES[name](ground, rng, lesion.criteria.disorder)
        add_layer(pigments, layer)
        bits[layer.mask & near] |= np.uint16(STRUCTURE_BITS[name])
    pigments[..., MELANIN] = np.maximum(pigments[..., MELANIN], -0.05 * cover)
    # thick melanin absorbs red too: light brown is orange, dark brown nearly black
    pigments[..., DERMAL_MELANIN] += 0.45 * np.maximum(pigments[..., MELANIN] - 0.75, 0)
    return RenderedLesion(pigments, mask, bits)


def _render_body(
    pigments: FloatField, canvas: LesionCanvas, criteria: LesionCriteria, rng: np.random.Generator
) -> None:
    """Pigment that fills the lesion: uneven at all sizes, deeper in places, red round the border."""
    size, radius = canvas.size, canvas.radius
    uneven = _texture(rng, size, radius, canvas.scale)
    patches = fractal_noise(rng, size, scale=1.1 * radius, octaves=3)
    v = criteria.variegation
    depth = 0.7 + 0.35 * smoothstep(0, 0.8, canvas.distance_field)
    # uneven lesions have gaps through which skin shows
    gaps = 1 - np.float32(0.8 * v * v) * smoothstep(
        -0.3, 1.3, fractal_noise(rng, size, scale=0.4 * radius, octaves=5, gain=0.6)
    )
    # pigment ends unevenly too: dense grains reach further out
    cover = gaps * canvas.opacity * np.maximum(1 + 0.7 * (1 - canvas.opacity) * uneven, 0)
    body = cover * np.maximum(depth * (1 + (0.12 + 0.16 * v) * uneven + 0.42 * v * patches), 0.12)
    pigments[..., MELANIN] += np.float32(criteria.melanin) * body
    pigments[..., BLOOD] += np.float32(criteria.blood) * cover * (1 + 0.3 * uneven - 0.3 * v * patches)
    other = smoothstep(-0.2, 1.5, fractal_noise(rng, size, scale=0.9 * radius, octaves=4))
    pigments[..., DERMAL_MELANIN] += np.float32(criteria.dermal_melanin) * canvas.opacity * other
    halo = smoothstep(-0.5, 0.5, canvas.distance_field) * np.maximum(1 + 0.4 * patches + 0.2 * uneven, 0)
    pigments[..., BLOOD] += np.float32(criteria.halo) * halo


def _texture(rng: np.random.Generator, size: ImageSize, radius: float, scale: float) -> FloatField:
    """Granular unevenness without direction; (h, w), about unit deviation."""
    grain = fractal_noise(rng, size, scale=8 * scale, octaves=2, gain=0.7)
    rough = fractal_noise(rng, size, scale=0.45 * radius, octaves=5, gain=0.75)
    return np.asarray(0.85 * rough + 0.4 * grain, np.float32)
