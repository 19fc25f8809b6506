"""Structures of melanocytic lesions: network, globules, streaks, blotch, blue-white veil, regression."""

import numpy as np

from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import bend, blur, cells, fractal, smoothstep
from lesionlens.synthesis.pigment import Layer
from lesionlens.synthesis.strokes import Sheet


def network(ground: Ground, rng: np.random.Generator, disorder: float) -> Layer:
    """Brown honeycomb; ``disorder`` 0 even and fading at the border, 1 patchy, wide, ending abruptly."""
    k = ground.scale
    mesh = cells(rng, ground.size, spacing=rng.uniform(6.5, 8 + 2.5 * disorder) * k, jitter=0.9)
    thick = rng.uniform(0.7, 0.9 + 0.3 * disorder) * k
    lines = blur(mesh.edges, thick)
    lines *= np.float32(1 / max(1e-3, float(np.percentile(lines[::5, ::5], 97))))
    lines = bend(rng, np.minimum(lines * lines, 1.2), amount=2.0 * k, scale=10 * k)
    lines *= 1 + 0.4 * fractal(rng, ground.size, scale=14 * k, octaves=2)
    fade = smoothstep(-0.12, 0.45 - 0.38 * disorder, ground.field)
    noise = fractal(rng, ground.size, scale=0.5 * ground.radius, octaves=5, gain=0.6)
    local = smoothstep(-1.4 + 0.8 * disorder, 1.4 + 0.2 * disorder, noise) * fade
    amount = np.float32(rng.uniform(0.3, 0.6) * (1 + 0.4 * disorder))
    return Layer(local > 0.3, melanin=amount * local * (lines - 0.1))


def globules(ground: Ground, rng: np.random.Generator, disorder: float) -> Layer:
    """Round brown clods; even at ``disorder`` 0, of any size and crowded on one side at 1."""
    k = ground.scale
    lattice = cells(rng, ground.size, spacing=rng.uniform(9, 15) * k, jitter=0.75 + 0.25 * disorder)
    mean = rng.uniform(2.0, 3.4) * k
    radius = lattice.each(rng, mean * (1 - 0.45 * disorder), mean * (1.15 + 0.8 * disorder))
    present = lattice.each(rng, 0, 1) < (0.8 - 0.3 * disorder)
    dots = smoothstep(-0.9 * k, 0.9 * k, radius - lattice.distance) * present
    where = smoothstep(-0.1, 0.12, ground.field)
    where *= smoothstep(-1.2 + 1.0 * disorder, 0.2, fractal(rng, ground.size, scale=ground.radius, octaves=3))
    dots = bend(rng, blur(dots * where, rng.uniform(0.5, 1.4) * k), amount=1.0 * k, scale=9 * k)
    return Layer(dots > 0.4, melanin=np.float32(rng.uniform(0.3, 0.75)) * dots)


def streaks(ground: Ground, rng: np.random.Generator, disorder: float) -> Layer:
    """Dark radial lines and bulbs at the border, all round at ``disorder`` 0, in one sector at 1."""
    sheet, centre = Sheet(ground.size), np.array(ground.size[::-1]) / 2
    favoured, spread = rng.uniform(0, 2 * np.pi), np.pi * (1.1 - 0.7 * disorder)
    for x, y in ground.place(rng, int(rng.uniform(25, 80)), low=-0.02, high=0.14):
        turn = float(np.arctan2(y - centre[1], x - centre[0]))
        if abs((turn - favoured + np.pi) % (2 * np.pi) - np.pi) > spread:
            continue
        turn += rng.normal(0, 0.1 + 0.2 * disorder)
        length = rng.uniform(0.04, 0.13) * ground.radius
        way = np.array([np.cos(turn), np.sin(turn)])
        path = np.array([x, y]) + np.linspace(-1.2, 1, 8)[:, None] * length * way
        sheet.tapered(path, width=rng.uniform(1.2, 3.0) * ground.scale, strength=rng.uniform(0.15, 0.7))
    drawn = blur(sheet.field(), 1.6 * ground.scale)
    drawn = bend(rng, drawn, amount=2.2 * ground.scale, scale=14 * ground.scale)
    return Layer(drawn > 0.25, melanin=np.float32(rng.uniform(0.7, 1.3)) * drawn)


def blotch(ground: Ground, rng: np.random.Generator, disorder: float) -> Layer:
    """Structureless dark area, central at ``disorder`` 0, off centre and ragged at 1."""
    even = smoothstep(0.25, 0.85, ground.field)
    ragged = ground.patch(rng, share=rng.uniform(0.12, 0.4), coarse=0.8)
    area = (1 - disorder) * even + disorder * ragged
    return Layer(area > 0.5, melanin=np.float32(rng.uniform(0.5, 1.3)) * area)


def blue_white_veil(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Blue-grey area under a whitish haze."""
    area = blur(ground.patch(rng, share=rng.uniform(0.15, 0.5), coarse=1.0), 0.05 * ground.radius + 2)
    haze = fractal(rng, ground.size, scale=0.35 * ground.radius, octaves=4, gain=0.6)
    return Layer(
        area > 0.4,
        melanin=-0.15 * area,
        deep=np.float32(rng.uniform(0.4, 1.1)) * area * (1 + 0.2 * haze),
        white=area * np.clip(0.2 + 0.12 * haze, 0, 0.6),
    )


def regression(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """White scar-like area with blue-grey peppering where pigment has gone."""
    area = blur(ground.patch(rng, share=rng.uniform(0.15, 0.45), coarse=1.1), 0.04 * ground.radius + 2)
    pepper = cells(rng, ground.size, spacing=6.5 * ground.scale, jitter=1.0)
    dots = smoothstep(-1.6 * ground.scale, 0, -pepper.distance) * (pepper.each(rng, 0, 1) > 0.45)
    pink = np.float32(rng.uniform(0, 0.3))
    return Layer(area > 0.4, melanin=-0.6 * area, blood=pink * area, deep=0.5 * dots * area, white=0.2 * area)
