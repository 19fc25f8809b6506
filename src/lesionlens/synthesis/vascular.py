"""Structures of vessels and of basal cells: arborising vessels, lacunae, strawberry, nests, ulcer."""

import numpy as np

from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import bend, blur, cells, fractal, smoothstep
from lesionlens.synthesis.pigment import Layer
from lesionlens.synthesis.strokes import Sheet, wander


def arborising(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Bright red vessels in focus that branch like trees from the border inwards."""
    sheet, heart = Sheet(ground.size), np.array(ground.size[::-1]) / 2
    for start in ground.place(rng, int(rng.integers(2, 7)), low=-0.15, high=0.35):
        turn = float(np.arctan2(heart[1] - start[1], heart[0] - start[0])) + rng.normal(0, 0.6)
        _branch(
            sheet,
            rng,
            start,
            turn,
            rng.uniform(0.4, 1.1) * ground.radius,
            rng.uniform(1.3, 2.3) * ground.scale,
            3,
        )
    drawn = blur(sheet.field(), 1.0 * ground.scale)
    drawn = bend(rng, drawn, amount=2.4 * ground.scale, scale=14 * ground.scale)
    return Layer(drawn > 0.2, blood=np.float32(rng.uniform(0.4, 1.0)) * drawn)


def _branch(
    sheet: Sheet,
    rng: np.random.Generator,
    start: tuple[float, float],
    turn: float,
    length: float,
    width: float,
    depth: int,
) -> None:
    path = wander(rng, start, turn=turn, length=length, curl=0.28, steps=11)
    sheet.tapered(path, width=width, strength=0.5 + 0.15 * depth)
    if depth == 0:
        return
    for _ in range(int(rng.integers(1, 4))):
        knot = int(rng.integers(2, 11))
        side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        place = (float(path[knot, 0]), float(path[knot, 1]))
        _branch(sheet, rng, place, turn + side, length * rng.uniform(0.35, 0.65), width * 0.68, depth - 1)


def lacunae(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Red, purple or clotted black lagoons, round and sharply bordered, parted by whitish septa."""
    k = ground.scale
    mean = float(np.clip(rng.uniform(0.1, 0.32) * ground.radius, 4 * k, 26 * k))
    lattice = cells(rng, ground.size, spacing=2 * mean, jitter=0.8)
    reach = lattice.each(rng, 0.7, 1.3) * np.float32(mean) - lattice.distance
    dark = rng.choice([0.0, 0.15, 0.6], p=[0.5, 0.3, 0.2])
    clot = (lattice.each(rng, 0, 1) < dark) * lattice.each(rng, 0.1, 0.9)
    # blood shimmers through the septa
    between = np.float32(rng.uniform(0.1, 0.6))
    round_ = smoothstep(-0.25 * mean, 0.25 * mean, reach)
    wave, inside = rng.integers(2**32), smoothstep(-0.06, 0.1, ground.field)
    full, clotted = (
        blur(
            bend(np.random.default_rng(wave), field, amount=0.2 * mean, scale=2 * mean),
            rng.uniform(1.2, 2.2) * k,
        )
        * inside
        for field in ((between + (1 - between) * round_) * lattice.each(rng, 0.75, 1.0), round_ * clot)
    )
    amount = np.float32(rng.uniform(0.5, 1.1)) * full
    purple = np.float32(rng.uniform(0.0, 0.25))
    septa = np.float32(rng.uniform(0.0, 0.22)) * inside * (1 - smoothstep(float(between), 0.8, full))
    return Layer(full > 0.2, melanin=0.4 * clotted, blood=amount, deep=purple * amount + clotted, white=septa)


def strawberry(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Red pseudo-network round pale follicles with yellowish plugs."""
    k = ground.scale
    lattice = cells(rng, ground.size, spacing=rng.uniform(12, 20) * k, jitter=1.0)
    hole = lattice.each(rng, -1.0, 5.0) * np.float32(k)
    follicles = smoothstep(-2.6 * k, 2.6 * k, hole - lattice.distance) * lattice.each(rng, 0.1, 0.9)
    follicles = bend(rng, follicles, amount=1.5 * k, scale=9 * k)
    where = smoothstep(-0.7, 0.5, ground.field)
    where *= smoothstep(-0.7, 1.2, fractal(rng, ground.size, scale=0.7 * ground.radius, octaves=5, gain=0.6))
    brown = np.float32(rng.choice([0.0, 0.25], p=[0.5, 0.5]))
    patchy = 1 + 0.45 * fractal(rng, ground.size, scale=36 * k, octaves=4)
    net = (1 - 1.2 * follicles) * where
    blood = np.float32(rng.uniform(0.12, 0.32)) * net * patchy
    return Layer(net > 0.5, melanin=brown * net * patchy, blood=blood, white=0.1 * follicles * where)


def nests(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Blue-grey ovoid nests, globules and leaf-like areas of basal cells."""
    k, sheet = ground.scale, Sheet(ground.size)
    for x, y in ground.place(rng, int(rng.integers(3, 13)), low=-0.05, high=0.8):
        long = rng.gamma(2.2, 0.04) * ground.radius + 2 * k
        axes = (long, long * rng.uniform(0.45, 0.95))
        sheet.ellipse(x, y, axes, rng.uniform(0, np.pi), rng.uniform(0.35, 1))
    drawn = bend(rng, blur(sheet.field(), rng.uniform(3, 7) * k), amount=3 * k, scale=20 * k)
    drawn *= 1 + 0.2 * fractal(rng, ground.size, scale=14 * k, octaves=3, gain=0.7)
    brown = rng.uniform(0.1, 0.5)
    return Layer(
        drawn > 0.25,
        melanin=np.float32(brown) * drawn,
        deep=np.float32(1.2 - brown) * np.float32(rng.uniform(0.4, 0.75)) * drawn,
    )


def ulcer(ground: Ground, rng: np.random.Generator, _disorder: float) -> Layer:
    """Erosion: structureless red to orange-brown with crust."""
    area = blur(ground.patch(rng, share=rng.uniform(0.06, 0.2), coarse=0.6, rim=0.2), 1.5 * ground.scale)
    rough = fractal(rng, ground.size, scale=12 * ground.scale, octaves=3, gain=0.6)
    crust = area * smoothstep(0.0, 1.4, rough)
    return Layer(area > 0.4, melanin=0.2 * area + 0.5 * crust, blood=0.65 * area, white=0.1 * area)
