"""Structures of vessels and of basal cells: arborising vessels, lacunae, strawberry, nests, ulcer."""

import numpy as np

from lesionlens.synthesis.ground import LesionCanvas
from lesionlens.synthesis.noise import domain_warp, blur, voronoi_cells, fractal_noise, smoothstep
from lesionlens.synthesis.pigment import PigmentLayer
from lesionlens.synthesis.strokes import DrawSurface, random_walk_path


def arborizing_vessels(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Bright red vessels in focus that branch like trees from the border inwards."""
    sheet, heart = DrawSurface(canvas.size), np.array(canvas.size[::-1]) / 2
    for start in canvas.sample_points(rng, int(rng.integers(2, 7)), low=-0.15, high=0.35):
        turn = float(np.arctan2(heart[1] - start[1], heart[0] - start[0])) + rng.normal(0, 0.6)
        _draw_branch(
            sheet,
            rng,
            start,
            turn,
            rng.uniform(0.4, 1.1) * canvas.radius,
            rng.uniform(1.3, 2.3) * canvas.scale,
            3,
        )
    drawn = blur(sheet.to_float(), 1.0 * canvas.scale)
    drawn = domain_warp(rng, drawn, strength=2.4 * canvas.scale, scale=14 * canvas.scale)
    return PigmentLayer(drawn > 0.2, blood=np.float32(rng.uniform(0.4, 1.0)) * drawn)


def _draw_branch(
    surface: DrawSurface,
    rng: np.random.Generator,
    start: tuple[float, float],
    direction: float,
    length: float,
    width: float,
    depth: int,
) -> None:
    path = random_walk_path(rng, start, direction=direction, length=length, curvature=0.28, num_steps=11)
    surface.draw_tapered_line(path, width=width, strength=0.5 + 0.15 * depth)
    if depth == 0:
        return
    for _ in range(int(rng.integers(1, 4))):
        knot = int(rng.integers(2, 11))
        side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        place = (float(path[knot, 0]), float(path[knot, 1]))
        _draw_branch(surface, rng, place, direction + side, length * rng.uniform(0.35, 0.65), width * 0.68, depth - 1)


def red_lacunae(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Red, purple or clotted black lagoons, round and sharply bordered, parted by whitish septa."""
    k = canvas.scale
    mean = float(np.clip(rng.uniform(0.1, 0.32) * canvas.radius, 4 * k, 26 * k))
    lattice = voronoi_cells(rng, canvas.size, spacing=2 * mean, jitter=0.8)
    reach = lattice.uniform_per_cell(rng, 0.7, 1.3) * np.float32(mean) - lattice.distance
    dark = rng.choice([0.0, 0.15, 0.6], p=[0.5, 0.3, 0.2])
    clot = (lattice.uniform_per_cell(rng, 0, 1) < dark) * lattice.uniform_per_cell(rng, 0.1, 0.9)
    # blood shimmers through the septa
    between = np.float32(rng.uniform(0.1, 0.6))
    round_ = smoothstep(-0.25 * mean, 0.25 * mean, reach)
    wave, inside = rng.integers(2**32), smoothstep(-0.06, 0.1, canvas.distance_field)
    full, clotted = (
        blur(
            domain_warp(np.random.default_rng(wave), field, strength=0.2 * mean, scale=2 * mean),
            rng.uniform(1.2, 2.2) * k,
        )
        * inside
        for field in ((between + (1 - between) * round_) * lattice.uniform_per_cell(rng, 0.75, 1.0), round_ * clot)
    )
    amount = np.float32(rng.uniform(0.5, 1.1)) * full
    purple = np.float32(rng.uniform(0.0, 0.25))
    septa = np.float32(rng.uniform(0.0, 0.22)) * inside * (1 - smoothstep(float(between), 0.8, full))
    return PigmentLayer(full > 0.2, melanin=0.4 * clotted, blood=amount, dermal_melanin=purple * amount + clotted, scatter=septa)


def strawberry_pattern(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Red pseudo-network round pale follicles with yellowish plugs."""
    k = canvas.scale
    lattice = voronoi_cells(rng, canvas.size, spacing=rng.uniform(12, 20) * k, jitter=1.0)
    hole = lattice.uniform_per_cell(rng, -1.0, 5.0) * np.float32(k)
    follicles = smoothstep(-2.6 * k, 2.6 * k, hole - lattice.distance) * lattice.uniform_per_cell(rng, 0.1, 0.9)
    follicles = domain_warp(rng, follicles, strength=1.5 * k, scale=9 * k)
    where = smoothstep(-0.7, 0.5, canvas.distance_field)
    where *= smoothstep(-0.7, 1.2, fractal_noise(rng, canvas.size, scale=0.7 * canvas.radius, octaves=5, gain=0.6))
    brown = np.float32(rng.choice([0.0, 0.25], p=[0.5, 0.5]))
    patchy = 1 + 0.45 * fractal_noise(rng, canvas.size, scale=36 * k, octaves=4)
    net = (1 - 1.2 * follicles) * where
    blood = np.float32(rng.uniform(0.12, 0.32)) * net * patchy
    return PigmentLayer(net > 0.5, melanin=brown * net * patchy, blood=blood, scatter=0.1 * follicles * where)


def blue_gray_ovoid_nests(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Blue-grey ovoid nests, globules and leaf-like areas of basal cells."""
    k, sheet = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.integers(3, 13)), low=-0.05, high=0.8):
        long = rng.gamma(2.2, 0.04) * canvas.radius + 2 * k
        axes = (long, long * rng.uniform(0.45, 0.95))
        sheet.draw_ellipse(x, y, axes, rng.uniform(0, np.pi), rng.uniform(0.35, 1))
    drawn = domain_warp(rng, blur(sheet.to_float(), rng.uniform(3, 7) * k), strength=3 * k, scale=20 * k)
    drawn *= 1 + 0.2 * fractal_noise(rng, canvas.size, scale=14 * k, octaves=3, gain=0.7)
    brown = rng.uniform(0.1, 0.5)
    return PigmentLayer(
        drawn > 0.25,
        melanin=np.float32(brown) * drawn,
        dermal_melanin=np.float32(1.2 - brown) * np.float32(rng.uniform(0.4, 0.75)) * drawn,
    )


def ulceration(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Erosion: structureless red to orange-brown with crust."""
    area = blur(canvas.random_patch(rng, area_fraction=rng.uniform(0.06, 0.2), feature_size=0.6, rim=0.2), 1.5 * canvas.scale)
    rough = fractal_noise(rng, canvas.size, scale=12 * canvas.scale, octaves=3, gain=0.6)
    crust = area * smoothstep(0.0, 1.4, rough)
    return PigmentLayer(area > 0.4, melanin=0.2 * area + 0.5 * crust, blood=0.65 * area, scatter=0.1 * area)
