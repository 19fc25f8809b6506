"""Structures of melanocytic lesions: network, globules, streaks, blotch, blue-white veil, regression."""

import numpy as np

from lesionlens.synthesis.ground import LesionCanvas
from lesionlens.synthesis.noise import domain_warp, blur, voronoi_cells, fractal_noise, smoothstep
from lesionlens.synthesis.pigment import PigmentLayer
from lesionlens.synthesis.strokes import DrawSurface


def pigment_network(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Brown honeycomb; ``disorder`` 0 even and fading at the border, 1 patchy, wide, ending abruptly."""
    k = canvas.scale
    mesh = voronoi_cells(rng, canvas.size, spacing=rng.uniform(6.5, 8 + 2.5 * disorder) * k, jitter=0.9)
    thick = rng.uniform(0.7, 0.9 + 0.3 * disorder) * k
    lines = blur(mesh.edges, thick)
    lines *= np.float32(1 / max(1e-3, float(np.percentile(lines[::5, ::5], 97))))
    lines = domain_warp(rng, np.minimum(lines * lines, 1.2), strength=2.0 * k, scale=10 * k)
    lines *= 1 + 0.4 * fractal_noise(rng, canvas.size, scale=14 * k, octaves=2)
    fade = smoothstep(-0.12, 0.45 - 0.38 * disorder, canvas.distance_field)
    noise = fractal_noise(rng, canvas.size, scale=0.5 * canvas.radius, octaves=5, gain=0.6)
    local = smoothstep(-1.4 + 0.8 * disorder, 1.4 + 0.2 * disorder, noise) * fade
    amount = np.float32(rng.uniform(0.3, 0.6) * (1 + 0.4 * disorder))
    return PigmentLayer(local > 0.3, melanin=amount * local * (lines - 0.1))


def globules(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Round brown clods; even at ``disorder`` 0, of any size and crowded on one side at 1."""
    k = canvas.scale
    lattice = voronoi_cells(rng, canvas.size, spacing=rng.uniform(9, 15) * k, jitter=0.75 + 0.25 * disorder)
    mean = rng.uniform(2.0, 3.4) * k
    radius = lattice.uniform_per_cell(rng, mean * (1 - 0.45 * disorder), mean * (1.15 + 0.8 * disorder))
    present = lattice.uniform_per_cell(rng, 0, 1) < (0.8 - 0.3 * disorder)
    dots = smoothstep(-0.9 * k, 0.9 * k, radius - lattice.distance) * present
    where = smoothstep(-0.1, 0.12, canvas.distance_field)
    where *= smoothstep(-1.2 + 1.0 * disorder, 0.2, fractal_noise(rng, canvas.size, scale=canvas.radius, octaves=3))
    dots = domain_warp(rng, blur(dots * where, rng.uniform(0.5, 1.4) * k), strength=1.0 * k, scale=9 * k)
    return PigmentLayer(dots > 0.4, melanin=np.float32(rng.uniform(0.3, 0.75)) * dots)


def streaks(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Dark radial lines and bulbs at the border, all round at ``disorder`` 0, in one sector at 1."""
    sheet, centre = DrawSurface(canvas.size), np.array(canvas.size[::-1]) / 2
    favoured, spread = rng.uniform(0, 2 * np.pi), np.pi * (1.1 - 0.7 * disorder)
    for x, y in canvas.sample_points(rng, int(rng.uniform(25, 80)), low=-0.02, high=0.14):
        turn = float(np.arctan2(y - centre[1], x - centre[0]))
        if abs((turn - favoured + np.pi) % (2 * np.pi) - np.pi) > spread:
            continue
        turn += rng.normal(0, 0.1 + 0.2 * disorder)
        length = rng.uniform(0.04, 0.13) * canvas.radius
        way = np.array([np.cos(turn), np.sin(turn)])
        path = np.array([x, y]) + np.linspace(-1.2, 1, 8)[:, None] * length * way
        sheet.draw_tapered_line(path, width=rng.uniform(1.2, 3.0) * canvas.scale, strength=rng.uniform(0.15, 0.7))
    drawn = blur(sheet.to_float(), 1.6 * canvas.scale)
    drawn = domain_warp(rng, drawn, strength=2.2 * canvas.scale, scale=14 * canvas.scale)
    return PigmentLayer(drawn > 0.25, melanin=np.float32(rng.uniform(0.7, 1.3)) * drawn)


def blotches(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Structureless dark area, central at ``disorder`` 0, off centre and ragged at 1."""
    even = smoothstep(0.25, 0.85, canvas.distance_field)
    ragged = canvas.random_patch(rng, area_fraction=rng.uniform(0.12, 0.4), feature_size=0.8)
    area = (1 - disorder) * even + disorder * ragged
    return PigmentLayer(area > 0.5, melanin=np.float32(rng.uniform(0.5, 1.3)) * area)


def blue_white_veil(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Blue-grey area under a whitish haze."""
    area = blur(canvas.random_patch(rng, area_fraction=rng.uniform(0.15, 0.5), feature_size=1.0), 0.05 * canvas.radius + 2)
    haze = fractal_noise(rng, canvas.size, scale=0.35 * canvas.radius, octaves=4, gain=0.6)
    return PigmentLayer(
        area > 0.4,
        melanin=-0.15 * area,
        dermal_melanin=np.float32(rng.uniform(0.4, 1.1)) * area * (1 + 0.2 * haze),
        scatter=area * np.clip(0.2 + 0.12 * haze, 0, 0.6),
    )


def regression_structures(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """White scar-like area with blue-grey peppering where pigment has gone."""
    area = blur(canvas.random_patch(rng, area_fraction=rng.uniform(0.15, 0.45), feature_size=1.1), 0.04 * canvas.radius + 2)
    pepper = voronoi_cells(rng, canvas.size, spacing=6.5 * canvas.scale, jitter=1.0)
    dots = smoothstep(-1.6 * canvas.scale, 0, -pepper.distance) * (pepper.uniform_per_cell(rng, 0, 1) > 0.45)
    pink = np.float32(rng.uniform(0, 0.3))
    return PigmentLayer(area > 0.4, melanin=-0.6 * area, blood=pink * area, dermal_melanin=0.5 * dots * area, scatter=0.2 * area)
