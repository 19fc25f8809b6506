"""Skin around a lesion: tone on the Fitzpatrick scale, mottling, furrows, vessels, freckles, pores."""

from dataclasses import dataclass

import cv2
import numpy as np

from lesionlens.synthesis.noise import Field, Size, bend, blur, cells, fractal, smoothstep, streaked
from lesionlens.synthesis.pigment import BLOOD, MELANIN, WHITE, blank

TONES = ("I", "II", "III", "IV", "V", "VI")
TONE_SHARES = (0.22, 0.36, 0.22, 0.10, 0.06, 0.04)
_TONE_DEPTH = (0.0, 0.05, 0.16, 0.34, 0.62, 0.95)
_TONE_ABSORPTION = np.array([0.62, 0.85, 1.0])  # melanin of the whole epidermis: browner than a lesion's


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
    furrow_angle: float
    vessels: float
    freckles: float
    pores: float


def draw_skin(rng: np.random.Generator, *, sun: float) -> Skin:
    """Draw skin; ``sun`` (0…1) is damage by sun: vessels, freckles, mottling."""
    tone = int(rng.choice(len(TONES), p=TONE_SHARES))
    pale_base = rng.uniform((0.90, 0.75, 0.77), (0.97, 0.85, 0.89))
    base = pale_base * np.exp(-_TONE_DEPTH[tone] * _TONE_ABSORPTION)
    pale = max(0.0, 1 - tone / 4)
    return Skin(
        tone=TONES[tone],
        base=(float(base[0]), float(base[1]), float(base[2])),
        warmth=rng.uniform(0.9, 1.5),
        melanin=rng.uniform(0.0, 0.09) + 0.2 * _TONE_DEPTH[tone],
        blood=rng.beta(1.4, 2.8) * 0.26 * (0.4 + 0.6 * pale),
        mottling=rng.uniform(0.25, 0.7) + 0.6 * sun,
        furrows=rng.beta(1.5, 2.5),
        furrow_angle=rng.uniform(0, np.pi),
        vessels=pale * (sun * rng.uniform(0.2, 1.0) if rng.random() < 0.35 + 0.5 * sun else 0.0),
        freckles=sun * rng.uniform(0.2, 1) if rng.random() < 0.2 + 0.6 * sun else 0.0,
        pores=rng.uniform(0.3, 1) if rng.random() < 0.12 + 0.2 * sun else 0.0,
    )


def paint_skin(skin: Skin, size: Size, *, seed: int, scale: float = 1.0) -> Field:
    """Pigments of the skin alone; (h, w, 4). ``scale`` is image height / 450."""
    rng = np.random.default_rng(seed)
    pigments = blank(size)
    wide = fractal(rng, size, scale=190 * scale, octaves=6, gain=0.62)
    fine = fractal(rng, size, scale=40 * scale, octaves=5, gain=0.82)
    grain = _furrows(skin, rng, size, scale)
    amount = np.float32(0.038 * skin.mottling)
    pigments[..., MELANIN] = skin.melanin * (1 + 0.1 * wide) + amount * (0.4 * fine + 0.5 * wide) + grain
    pigments[..., BLOOD] = skin.blood * (1 + 0.12 * fine) + amount * (fine - 0.3 * wide) + 0.6 * grain
    if skin.vessels > 0:
        pigments[..., BLOOD] += skin.vessels * _vessels(rng, size, scale)
    if skin.freckles > 0:
        patches = fractal(rng, size, scale=60 * scale, octaves=6, gain=0.78)
        pigments[..., MELANIN] += np.float32(0.55 * skin.freckles) * smoothstep(0.5, 2.2, patches)
    if skin.pores > 0:
        lattice = cells(rng, size, spacing=rng.uniform(17, 30) * scale, jitter=0.8)
        dots = smoothstep(-3.2 * scale, -1.0 * scale, -lattice.distance) * lattice.each(rng, 0.2, 1.0)
        pigments[..., MELANIN] += np.float32(0.16 * skin.pores) * dots
        pigments[..., WHITE] += np.float32(0.08 * skin.pores) * dots
    return pigments


def _furrows(skin: Skin, rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Criss-cross of skin lines, finer and fainter across the main direction; (h, w)."""
    turn = skin.furrow_angle
    grain = streaked(rng, size, length=42 * scale, width=3.2 * scale, angle=turn)
    grain += 0.7 * streaked(rng, size, length=24 * scale, width=2.6 * scale, angle=turn + 1.1)
    return np.asarray(np.float32(0.006 + 0.03 * skin.furrows) * grain, np.float32)


def _vessels(rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Net of telangiectases out of focus; (h, w)."""
    half = (size[0] // 2, size[1] // 2)
    net = cells(rng, half, spacing=rng.uniform(16, 30) * scale, jitter=1.0)
    lines = bend(rng, blur(net.edges, rng.uniform(1.0, 2.0) * scale), amount=7 * scale, scale=22 * scale)
    lines *= smoothstep(-0.4, 1.3, fractal(rng, half, scale=60 * scale, octaves=3))
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR) * 0.65, np.float32)
