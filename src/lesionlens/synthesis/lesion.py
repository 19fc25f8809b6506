"""One lesion: criteria, outline and skin drawn once, painted on a canvas of its own."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.diagnoses import Criteria, borrowed_share, draw_criteria
from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import Field, Mask, Size, fractal, smoothstep
from lesionlens.synthesis.outline import Outline, canvas_size, cover_of, draw_outline, mask_of, paint_outline
from lesionlens.synthesis.pigment import BLOOD, DEEP, MELANIN, add, blank
from lesionlens.synthesis.skin import Skin, draw_skin
from lesionlens.synthesis.structures import BITS, STRUCTURES

_SUN = {"mel": 0.35, "nv": 0.1, "bcc": 0.6, "akiec": 0.9, "bkl": 0.45, "df": 0.1, "vasc": 0.2}


@dataclass(frozen=True)
class Lesion:
    """One lesion of one patient."""

    criteria: Criteria
    outline: Outline
    skin: Skin
    seed: int


class Canvas(NamedTuple):
    """A painted lesion without skin."""

    pigments: Field
    """(h, w, 4)"""
    mask: Mask
    """(h, w)"""
    bits: npt.NDArray[np.uint16]
    """(h, w), structures, see `structures.BITS`"""


def draw_lesion(rng: np.random.Generator, code: str, *, difficulty: float) -> Lesion:
    """Draw a lesion of class ``code``."""
    criteria = draw_criteria(rng, code, difficulty=difficulty)
    outline = draw_outline(
        rng,
        radius=criteria.size,
        asymmetry=criteria.asymmetry,
        irregularity=criteria.irregularity,
        softness=criteria.softness,
    )
    alike = borrowed_share(difficulty)
    sun = float(np.clip(_SUN[code] * (1 - alike) + 0.35 * alike + rng.normal(0, 0.2), 0, 1))
    return Lesion(criteria, outline, draw_skin(rng, sun=sun), int(rng.integers(2**32)))


def paint_lesion(lesion: Lesion, *, scale: float = 1.0) -> Canvas:
    """Paint a lesion; ``scale`` is image height / 450."""
    rng = np.random.default_rng(lesion.seed)
    size = canvas_size(lesion.outline, scale)
    field = paint_outline(lesion.outline, size)
    radius = lesion.outline.radius * scale
    cover = cover_of(field, lesion.outline.softness, radius=radius)
    ground = Ground(field, cover, radius, scale)
    pigments = blank(size)
    _paint_body(pigments, ground, lesion.criteria, rng)
    mask = mask_of(field)
    bits = np.zeros(size, np.uint16)
    near = field > -0.45
    for name in lesion.criteria.structures:
        layer = STRUCTURES[name](ground, rng, lesion.criteria.disorder)
        add(pigments, layer)
        bits[layer.mask & near] |= np.uint16(BITS[name])
    pigments[..., MELANIN] = np.maximum(pigments[..., MELANIN], -0.05 * cover)
    # thick melanin absorbs red too: light brown is orange, dark brown nearly black
    pigments[..., DEEP] += 0.45 * np.maximum(pigments[..., MELANIN] - 0.75, 0)
    return Canvas(pigments, mask, bits)


def _paint_body(pigments: Field, ground: Ground, criteria: Criteria, rng: np.random.Generator) -> None:
    """Pigment that fills the lesion: uneven at all sizes, deeper in places, red round the border."""
    size, radius = ground.size, ground.radius
    uneven = _texture(rng, size, radius, ground.scale)
    patches = fractal(rng, size, scale=1.1 * radius, octaves=3)
    v = criteria.variegation
    depth = 0.7 + 0.35 * smoothstep(0, 0.8, ground.field)
    # uneven lesions have gaps through which skin shows
    gaps = 1 - np.float32(0.8 * v * v) * smoothstep(
        -0.3, 1.3, fractal(rng, size, scale=0.4 * radius, octaves=5, gain=0.6)
    )
    # pigment ends unevenly too: dense grains reach further out
    cover = gaps * ground.cover * np.maximum(1 + 0.7 * (1 - ground.cover) * uneven, 0)
    body = cover * np.maximum(depth * (1 + (0.12 + 0.16 * v) * uneven + 0.42 * v * patches), 0.12)
    pigments[..., MELANIN] += np.float32(criteria.melanin) * body
    pigments[..., BLOOD] += np.float32(criteria.blood) * cover * (1 + 0.3 * uneven - 0.3 * v * patches)
    other = smoothstep(-0.2, 1.5, fractal(rng, size, scale=0.9 * radius, octaves=4))
    pigments[..., DEEP] += np.float32(criteria.deep) * ground.cover * other
    halo = smoothstep(-0.5, 0.5, ground.field) * np.maximum(1 + 0.4 * patches + 0.2 * uneven, 0)
    pigments[..., BLOOD] += np.float32(criteria.halo) * halo


def _texture(rng: np.random.Generator, size: Size, radius: float, scale: float) -> Field:
    """Granular unevenness without direction; (h, w), about unit deviation."""
    grain = fractal(rng, size, scale=8 * scale, octaves=2, gain=0.7)
    rough = fractal(rng, size, scale=0.45 * radius, octaves=5, gain=0.75)
    return np.asarray(0.85 * rough + 0.4 * grain, np.float32)
