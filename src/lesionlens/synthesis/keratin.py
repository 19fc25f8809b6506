"""Structures of keratin: milia-like cysts, comedo-like openings, ridges, scale, scar-like centre."""

import numpy as np

from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import blur, fractal, smoothstep, streaked
from lesionlens.synthesis.pigment import Layer
from lesionlens.synthesis.strokes import Sheet


def milia(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Milia-like cysts: small whitish dots, some starry, some cloudy."""
    k, sheet = ground.scale, Sheet(ground.size)
    for x, y in ground.place(rng, int(rng.uniform(8, 32)), low=0.12, high=2):
        sheet.dots([(x, y, rng.gamma(3, 0.9) * k + 0.8 * k)], strength=rng.uniform(0.4, 1))
    dots = blur(sheet.field(), rng.uniform(0.9, 1.9) * k)
    return Layer(dots > 0.2, melanin=-0.35 * dots, white=0.62 * dots)


def comedo(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Comedo-like openings: dark brown plugs, round or oval, sharply bordered."""
    k, sheet = ground.scale, Sheet(ground.size)
    for x, y in ground.place(rng, int(rng.uniform(6, 26)), low=0.1, high=2):
        long = rng.gamma(4, 1.0) * k + k
        sheet.ellipse(x, y, (long, long * rng.uniform(0.45, 1)), rng.uniform(0, np.pi), rng.uniform(0.4, 1))
    plugs = blur(sheet.field(), 1.0 * k)
    rim = np.maximum(blur(plugs, 2.2 * k) - 0.8 * plugs, 0)
    return Layer(
        plugs > 0.3,
        melanin=np.float32(rng.uniform(0.7, 1.2)) * plugs,
        white=np.float32(0.35) * np.asarray(rim, np.float32),
    )


def ridges(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Fissures and ridges like the surface of a brain, or fingerprint lines."""
    noise = fractal(rng, ground.size, scale=rng.uniform(14, 30) * ground.scale, octaves=3, gain=0.4)
    lines = smoothstep(-0.42, -0.02, -np.abs(noise)) * smoothstep(-0.05, 0.15, ground.field)
    return Layer(lines > 0.5, melanin=np.float32(rng.uniform(0.15, 0.42)) * (lines - 0.35 * ground.cover))


def scale(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """White to yellow scale and crust lying on the surface."""
    k = ground.scale
    area = ground.patch(rng, share=rng.uniform(0.15, 0.45), coarse=0.9, rim=0.0)
    flakes = fractal(rng, ground.size, scale=13 * k, octaves=4, gain=0.75)
    flakes = smoothstep(0.5, 1.7, flakes) * area
    crust = smoothstep(0.7, 2.0, fractal(rng, ground.size, scale=20 * k, octaves=3)) * area
    return Layer(flakes + crust > 0.3, melanin=0.3 * crust, white=0.55 * flakes)


def scar(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """White scar-like centre, drawn out into shiny white lines."""
    k = ground.scale
    noise = fractal(rng, ground.size, scale=0.5 * ground.radius, octaves=4)
    edge = rng.uniform(0.1, 0.4)
    calm = blur(ground.field, 0.12 * ground.radius + 1)
    heart = smoothstep(edge, edge + 0.65, calm + 0.12 * noise)
    turn = rng.uniform(0, np.pi)
    lines = streaked(rng, ground.size, length=26 * k, width=2.2 * k, angle=turn)
    lines = np.maximum(lines, streaked(rng, ground.size, length=22 * k, width=2.2 * k, angle=turn + 1.4))
    shine = smoothstep(0.6, 2.4, lines) * smoothstep(0.2, 0.7, ground.field)
    white = heart * rng.uniform(0.3, 0.6) * (1 + 0.15 * noise) + rng.uniform(0.1, 0.4) * shine
    return Layer(heart > 0.4, melanin=-0.3 * heart, blood=-0.12 * heart, white=np.asarray(white, np.float32))
