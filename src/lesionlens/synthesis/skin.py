"""Sample and render skin: Fitzpatrick tone, mottling, furrows, vessels, freckles, pores and specks."""

from dataclasses import dataclass

import cv2
import numpy as np

from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.pigment import BLOOD, DERMAL_MELANIN, MELANIN, SCATTERING, empty_pigments
from lesionlens.synthesis.procedural_noise import (
    DrawSurface,
    FloatField,
    blur,
    domain_warp,
    fractal_noise,
    ridge_lines,
    smoothstep,
    voronoi_cells,
)

SKIN_TONES = ("I", "II", "III", "IV", "V", "VI")
SKIN_TONE_PROBABILITIES = (0.26, 0.38, 0.22, 0.08, 0.04, 0.02)
_TONE_DEPTH = (0.0, 0.05, 0.14, 0.28, 0.5, 0.8)
_TONE_ABSORPTION = np.array([0.66, 0.80, 0.90])  # melanin of the full epidermis, browner than a lesion's


@dataclass(frozen=True)
class Skin:
    """Skin of one patient at one site; strengths in 0 to 1."""

    tone: str
    base_color: tuple[float, float, float]
    warmth: float
    melanin: float
    blood: float
    mottling: float
    furrows: float
    vessels: float
    freckles: float
    pores: float
    specks: float


def sample_skin(rng: np.random.Generator, *, sun_damage: float) -> Skin:
    """Sample skin; ``sun_damage`` (0 to 1) adds vessels, freckles and mottling."""
    tone = int(rng.choice(len(SKIN_TONES), p=SKIN_TONE_PROBABILITIES))
    pale_base = rng.uniform((0.90, 0.76, 0.78), (0.96, 0.86, 0.89))
    base = pale_base * np.exp(-_TONE_DEPTH[tone] * _TONE_ABSORPTION)
    pale = max(0.0, 1 - tone / 4)
    return Skin(
        tone=SKIN_TONES[tone],
        base_color=(float(base[0]), float(base[1]), float(base[2])),
        warmth=rng.uniform(0.95, 1.3),
        melanin=rng.uniform(0.0, 0.09) + 0.2 * _TONE_DEPTH[tone],
        blood=rng.beta(1.4, 2.8) * 0.2 * (0.4 + 0.6 * pale),
        mottling=rng.uniform(0.25, 0.75) + 0.4 * sun_damage,
        furrows=rng.beta(1.5, 2.5),
        vessels=pale
        * (sun_damage * rng.uniform(0.2, 1.0) if rng.random() < 0.25 + 0.6 * sun_damage else 0.0),
        freckles=sun_damage * rng.uniform(0.2, 1) if rng.random() < 0.12 + 0.65 * sun_damage else 0.0,
        pores=rng.uniform(0.3, 1) if rng.random() < 0.15 + 0.2 * sun_damage else 0.0,
        specks=rng.random() if rng.random() < 0.3 + 0.4 * sun_damage else 0.0,
    )


def render_skin(skin: Skin, size: ImageSize, *, seed: int, scale: float = 1.0) -> FloatField:
    """Return the pigments of skin without lesion, (h, w, 4); ``scale`` is image height / 450."""
    rng = np.random.default_rng(seed)
    pigments = empty_pigments(size)
    wide = fractal_noise(rng, size, scale=210 * scale, octaves=5, gain=0.6)
    fine = fractal_noise(rng, size, scale=22 * scale, octaves=4, gain=0.85)
    warm = fractal_noise(rng, size, scale=60 * scale, octaves=5, gain=0.8)
    lines = np.float32(0.09 * skin.furrows) * _furrow_pattern(rng, size, scale)
    strength = np.float32(0.036 * skin.mottling)
    pigments[..., MELANIN] = (
        skin.melanin * (1 + 0.1 * wide) + strength * (0.4 * fine + 0.4 * wide + 0.9 * warm) + lines
    )
    pigments[..., BLOOD] = (
        skin.blood * (1 + 0.12 * fine) + strength * (0.7 * fine - 0.4 * wide - 0.3 * warm) + lines
    )
    if skin.vessels > 0:
        pigments[..., BLOOD] += np.float32(0.45 * skin.vessels) * _vessel_pattern(rng, size, scale)
    if skin.freckles > 0:
        _add_freckles(pigments, skin.freckles, rng, scale)
    if skin.pores > 0:
        lattice = voronoi_cells(rng, size, spacing=rng.uniform(17, 30) * scale, jitter=0.9)
        dots = smoothstep(-2.8 * scale, -0.6 * scale, -lattice.distance) * lattice.uniform_per_cell(
            rng, 0.0, 1.0
        )
        pigments[..., MELANIN] += np.float32(0.12 * skin.pores) * dots
        pigments[..., SCATTERING] += np.float32(0.06 * skin.pores) * dots
    if skin.specks > 0:
        pigments[..., SCATTERING] += _scale_specks(skin.specks, rng, size, scale)
    return pigments


def _furrow_pattern(rng: np.random.Generator, size: ImageSize, scale: float) -> FloatField:
    """Return patches of polygonal skin lines and short curly fibers, out of focus, (h, w)."""
    half = (size[0] // 2, size[1] // 2)
    mesh = voronoi_cells(rng, half, spacing=rng.uniform(7, 13) * scale, jitter=0.9)
    lines = domain_warp(rng, blur(mesh.edges, 0.9 * scale), strength=1.2 * scale, scale=9 * scale)
    lines += 0.7 * ridge_lines(rng, half, scale=rng.uniform(6, 11) * scale, width=0.4)
    lines *= smoothstep(-0.8, 1.6, fractal_noise(rng, half, scale=45 * scale, octaves=3))
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _vessel_pattern(rng: np.random.Generator, size: ImageSize, scale: float) -> FloatField:
    """Return patches of winding and branching telangiectases, out of focus, (h, w)."""
    half = (size[0] // 2, size[1] // 2)
    lines = ridge_lines(rng, half, scale=rng.uniform(18, 34) * scale, width=rng.uniform(0.1, 0.2))
    lines = blur(lines, rng.uniform(0.4, 1.2) * scale)
    lines *= smoothstep(-0.2, 1.5, fractal_noise(rng, half, scale=50 * scale, octaves=3))
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _add_freckles(pigments: FloatField, strength: float, rng: np.random.Generator, scale: float) -> None:
    """Add lentigines of sun-damaged skin: blurred brown to gray-brown patches of any size."""
    size = (pigments.shape[0], pigments.shape[1])
    wide = fractal_noise(rng, size, scale=rng.uniform(50, 120) * scale, octaves=4, gain=0.55)
    small = fractal_noise(rng, size, scale=rng.uniform(12, 24) * scale, octaves=3, gain=0.5)
    patches = smoothstep(-0.4, 3.4, wide + 0.9 * small)
    pigments[..., MELANIN] += np.float32(0.55 * strength) * patches
    pigments[..., DERMAL_MELANIN] += np.float32(rng.uniform(-0.08, 0.04) * strength) * patches


def _scale_specks(strength: float, rng: np.random.Generator, size: ImageSize, scale: float) -> FloatField:
    """Return tiny white reflections of scale on the surface, (h, w)."""
    surface = DrawSurface(size)
    points = rng.random((int(90 * strength), 2)) * size[::-1]
    for x, y in points:
        surface.draw_dots([(x, y, rng.gamma(2, 0.4) * scale)], strength=rng.uniform(0.2, 0.9))
    return 0.5 * blur(surface.to_float(), 0.6 * scale)
