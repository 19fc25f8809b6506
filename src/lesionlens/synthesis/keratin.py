"""Structures of keratin: milia-like cysts, comedo-like openings, ridges, scale, scar-like centre."""

import numpy as np

from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import Field, bend, blur, fractal, smoothstep, threads
from lesionlens.synthesis.pigment import Layer
from lesionlens.synthesis.strokes import Sheet


def milia(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Milia-like cysts: small whitish dots, some starry, some cloudy."""
    k, sheet = ground.scale, Sheet(ground.size)
    for x, y in ground.place(rng, int(rng.uniform(3, 20)), low=0.12, high=2):
        sheet.dots([(x, y, rng.gamma(3, 0.9) * k + 0.8 * k)], strength=rng.uniform(0.25, 0.9))
    dots = blur(sheet.field(), rng.uniform(1.2, 2.4) * k)
    return Layer(dots > 0.2, melanin=-0.35 * dots, white=0.62 * dots)


def comedo(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Comedo-like openings: dark brown plugs, round or oval, sharply bordered."""
    k, sheet = ground.scale, Sheet(ground.size)
    for x, y in ground.place(rng, int(rng.uniform(6, 26)), low=0.1, high=2):
        long = rng.gamma(4, 1.0) * k + k
        sheet.ellipse(x, y, (long, long * rng.uniform(0.45, 1)), rng.uniform(0, np.pi), rng.uniform(0.4, 1))
    plugs = bend(rng, blur(sheet.field(), 1.4 * k), amount=0.8 * k, scale=8 * k)
    rim = np.maximum(blur(plugs, 2.2 * k) - 0.8 * plugs, 0)
    return Layer(
        plugs > 0.3,
        melanin=np.float32(rng.uniform(0.7, 1.2)) * plugs,
        white=np.float32(0.35) * np.asarray(rim, np.float32),
    )


def ridges(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Fissures and ridges like the surface of a brain under a waxy haze, with strands of keratin."""
    k, inside = ground.scale, smoothstep(-0.05, 0.15, ground.field)
    lines = inside * threads(rng, ground.size, scale=rng.uniform(14, 34) * k, width=rng.uniform(0.25, 0.5))
    waxy = fractal(rng, ground.size, scale=0.6 * ground.radius, octaves=5, gain=0.6)
    haze = np.float32(rng.uniform(0.02, 0.3)) * ground.cover * (1 + 0.5 * waxy)
    dark = np.float32(rng.uniform(0.15, 0.42)) * (lines - 0.35 * ground.cover)
    return Layer(lines > 0.5, melanin=dark, white=haze + strands(ground, rng))


def scale(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """White to yellow scale, crust and bright strands lying on the surface."""
    k = ground.scale
    area = ground.patch(rng, share=rng.uniform(0.1, 0.35), coarse=0.7, rim=0.0)
    flakes = fractal(rng, ground.size, scale=11 * k, octaves=4, gain=0.75)
    flakes = smoothstep(0.5, 2.2, flakes) * area
    crust = smoothstep(0.7, 2.0, fractal(rng, ground.size, scale=20 * k, octaves=3)) * area
    white = 0.6 * flakes + strands(ground, rng)
    return Layer(flakes + crust > 0.3, melanin=0.35 * crust, white=white)


def scar(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """White scar-like centre with a ragged end and shiny strands."""
    noise = fractal(rng, ground.size, scale=0.5 * ground.radius, octaves=5, gain=0.65)
    edge = rng.uniform(0.1, 0.5)
    calm = blur(ground.field, 0.12 * ground.radius + 1)
    # measured from the deepest place, so that lobed lesions have a centre too
    calm /= max(float(calm.max()), 0.1)
    heart = smoothstep(edge, edge + 0.6, calm + 0.16 * noise)
    white = heart * rng.uniform(0.12, 0.42) * (1 + 0.3 * noise) + strands(ground, rng)
    return Layer(heart > 0.4, melanin=-0.3 * heart, blood=-0.12 * heart, white=np.asarray(white, np.float32))


def strands(ground: Ground, rng: np.random.Generator) -> Field:
    """Fine bright strands where keratin or collagen reflects the lamp, in patches; (h, w)."""
    k = ground.scale
    lines = threads(rng, ground.size, scale=rng.uniform(10, 20) * k, width=0.22)
    where = smoothstep(0.3, 1.6, fractal(rng, ground.size, scale=0.4 * ground.radius, octaves=4))
    bright = np.float32(rng.uniform(0.2, 0.8))
    return bright * lines * where * smoothstep(0.0, 0.3, ground.field)
