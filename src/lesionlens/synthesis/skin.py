"""Skin around a lesion: tone on the Fitzpatrick scale, mottling, furrows, vessels, freckles, pores, specks."""

from dataclasses import dataclass

import cv2
import numpy as np

from lesionlens.synthesis.noise import Field, Size, bend, blur, cells, fractal, smoothstep, threads
from lesionlens.synthesis.pigment import BLOOD, DEEP, MELANIN, WHITE, blank
from lesionlens.synthesis.strokes import Sheet

TONES = ("I", "II", "III", "IV", "V", "VI")
TONE_SHARES = (0.26, 0.38, 0.22, 0.08, 0.04, 0.02)
_TONE_DEPTH = (0.0, 0.05, 0.14, 0.28, 0.5, 0.8)
_TONE_ABSORPTION = np.array([0.66, 0.80, 0.90])  # melanin of the whole epidermis: browner than a lesion's


@dataclass(frozen=True)
class Skin:
    """Skin of one patient at one site; strengths in 0…1."""

    tone: str
    base: tuple[float, float, float]
    warmth: float
    melanin: float
    blood: float
    mottling: float
    furrows: float
    vessels: float
    freckles: float
    pores: float
    specks: float


def draw_skin(rng: np.random.Generator, *, sun: float) -> Skin:
    """Draw skin; ``sun`` (0…1) is damage by sun: vessels, freckles, mottling."""
    tone = int(rng.choice(len(TONES), p=TONE_SHARES))
    pale_base = rng.uniform((0.90, 0.76, 0.78), (0.96, 0.86, 0.89))
    base = pale_base * np.exp(-_TONE_DEPTH[tone] * _TONE_ABSORPTION)
    pale = max(0.0, 1 - tone / 4)
    return Skin(
        tone=TONES[tone],
        base=(float(base[0]), float(base[1]), float(base[2])),
        warmth=rng.uniform(0.95, 1.3),
        melanin=rng.uniform(0.0, 0.09) + 0.2 * _TONE_DEPTH[tone],
        blood=rng.beta(1.4, 2.8) * 0.2 * (0.4 + 0.6 * pale),
        mottling=rng.uniform(0.25, 0.75) + 0.4 * sun,
        furrows=rng.beta(1.5, 2.5),
        vessels=pale * (sun * rng.uniform(0.2, 1.0) if rng.random() < 0.25 + 0.6 * sun else 0.0),
        freckles=sun * rng.uniform(0.2, 1) if rng.random() < 0.12 + 0.65 * sun else 0.0,
        pores=rng.uniform(0.3, 1) if rng.random() < 0.15 + 0.2 * sun else 0.0,
        specks=rng.random() if rng.random() < 0.3 + 0.4 * sun else 0.0,
    )


def paint_skin(skin: Skin, size: Size, *, seed: int, scale: float = 1.0) -> Field:
    """Pigments of the skin alone; (h, w, 4). ``scale`` is image height / 450."""
    rng = np.random.default_rng(seed)
    pigments = blank(size)
    wide = fractal(rng, size, scale=210 * scale, octaves=5, gain=0.6)
    fine = fractal(rng, size, scale=22 * scale, octaves=4, gain=0.85)
    warm = fractal(rng, size, scale=60 * scale, octaves=5, gain=0.8)
    lines = np.float32(0.09 * skin.furrows) * _furrows(rng, size, scale)
    amount = np.float32(0.036 * skin.mottling)
    pigments[..., MELANIN] = (
        skin.melanin * (1 + 0.1 * wide) + amount * (0.4 * fine + 0.4 * wide + 0.9 * warm) + lines
    )
    pigments[..., BLOOD] = (
        skin.blood * (1 + 0.12 * fine) + amount * (0.7 * fine - 0.4 * wide - 0.3 * warm) + lines
    )
    if skin.vessels > 0:
        pigments[..., BLOOD] += np.float32(0.45 * skin.vessels) * _vessels(rng, size, scale)
    if skin.freckles > 0:
        _add_freckles(pigments, skin.freckles, rng, scale)
    if skin.pores > 0:
        lattice = cells(rng, size, spacing=rng.uniform(17, 30) * scale, jitter=0.9)
        dots = smoothstep(-2.8 * scale, -0.6 * scale, -lattice.distance) * lattice.each(rng, 0.0, 1.0)
        pigments[..., MELANIN] += np.float32(0.12 * skin.pores) * dots
        pigments[..., WHITE] += np.float32(0.06 * skin.pores) * dots
    if skin.specks > 0:
        pigments[..., WHITE] += _specks(skin.specks, rng, size, scale)
    return pigments


def _furrows(rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Polygons of skin lines and short curly fibres, here and there, out of focus; (h, w)."""
    half = (size[0] // 2, size[1] // 2)
    mesh = cells(rng, half, spacing=rng.uniform(7, 13) * scale, jitter=0.9)
    lines = bend(rng, blur(mesh.edges, 0.9 * scale), amount=1.2 * scale, scale=9 * scale)
    lines += 0.7 * threads(rng, half, scale=rng.uniform(6, 11) * scale, width=0.4)
    lines *= smoothstep(-0.8, 1.6, fractal(rng, half, scale=45 * scale, octaves=3))
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _vessels(rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Telangiectases out of focus, winding and branching in patches; (h, w)."""
    half = (size[0] // 2, size[1] // 2)
    lines = threads(rng, half, scale=rng.uniform(18, 34) * scale, width=rng.uniform(0.1, 0.2))
    lines = blur(lines, rng.uniform(0.4, 1.2) * scale)
    lines *= smoothstep(-0.2, 1.5, fractal(rng, half, scale=50 * scale, octaves=3))
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _add_freckles(pigments: Field, amount: float, rng: np.random.Generator, scale: float) -> None:
    """Lentigines of sun-damaged skin: blurred brown to grey-brown patches of any size."""
    size = (pigments.shape[0], pigments.shape[1])
    wide = fractal(rng, size, scale=rng.uniform(50, 120) * scale, octaves=4, gain=0.55)
    small = fractal(rng, size, scale=rng.uniform(12, 24) * scale, octaves=3, gain=0.5)
    patches = smoothstep(-0.4, 3.4, wide + 0.9 * small)
    pigments[..., MELANIN] += np.float32(0.55 * amount) * patches
    pigments[..., DEEP] += np.float32(rng.uniform(-0.08, 0.04) * amount) * patches


def _specks(amount: float, rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Tiny white glints of scale on the surface; (h, w)."""
    sheet = Sheet(size)
    places = rng.random((int(90 * amount), 2)) * size[::-1]
    for x, y in places:
        sheet.dots([(x, y, rng.gamma(2, 0.4) * scale)], strength=rng.uniform(0.2, 0.9))
    return 0.5 * blur(sheet.field(), 0.6 * scale)
