"""One lesion: criteria, outline and skin drawn once, painted on a canvas of its own."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.diagnoses import LesionCriteria, confusion_rate, sample_criteria
from lesionlens.synthesis.ground import LesionCanvas
from lesionlens.synthesis.noise import FloatField, BinaryMask, ImageSize, fractal_noise, smoothstep
from lesionlens.synthesis.outline import Outline, canvas_size, soft_mask, sample_outline, lesion_mask, render_outline
from lesionlens.synthesis.pigment import BLOOD, DERMAL_MELANIN, MELANIN, add_layer, empty_pigments
from lesionlens.synthesis.skin import Skin, sample_skin
from lesionlens.synthesis.structures import STRUCTURE_BITS, STRUCTURES

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
    """(h, w), structures, see `structures.BITS`"""


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


def _render_body(pigments: FloatField, canvas: LesionCanvas, criteria: LesionCriteria, rng: np.random.Generator) -> None:
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
