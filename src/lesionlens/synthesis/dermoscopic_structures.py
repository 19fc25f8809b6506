"""Render dermoscopic structures: melanocytic, then keratin, then vascular ones.

Each function takes the lesion's canvas, a random generator and ``disorder`` (0: regular, 1: irregular) and returns the
pigments that the structure adds.
"""

import numpy as np

from lesionlens.synthesis.canvas import LesionCanvas
from lesionlens.synthesis.pigment import PigmentLayer
from lesionlens.synthesis.procedural_noise import (
    DrawSurface,
    FloatField,
    blur,
    domain_warp,
    fractal_noise,
    random_walk_path,
    ridge_lines,
    smoothstep,
    voronoi_cells,
)


def pigment_network(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Render a brown honeycomb: regular with fading edges at ``disorder`` 0, patchy with abrupt edges at 1."""
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
    density = np.float32(rng.uniform(0.3, 0.6) * (1 + 0.4 * disorder))
    return PigmentLayer(local > 0.3, melanin=density * local * (lines - 0.1))


def globules(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Render round brown globules: regular at ``disorder`` 0, of any size and clustered on one side at 1."""
    k = canvas.scale
    lattice = voronoi_cells(rng, canvas.size, spacing=rng.uniform(9, 15) * k, jitter=0.75 + 0.25 * disorder)
    mean = rng.uniform(2.0, 3.4) * k
    radius = lattice.uniform_per_cell(rng, mean * (1 - 0.45 * disorder), mean * (1.15 + 0.8 * disorder))
    present = lattice.uniform_per_cell(rng, 0, 1) < (0.8 - 0.3 * disorder)
    dots = smoothstep(-0.9 * k, 0.9 * k, radius - lattice.distance) * present
    where = smoothstep(-0.1, 0.12, canvas.distance_field)
    where *= smoothstep(
        -1.2 + 1.0 * disorder, 0.2, fractal_noise(rng, canvas.size, scale=canvas.radius, octaves=3)
    )
    dots = domain_warp(rng, blur(dots * where, rng.uniform(0.5, 1.4) * k), strength=1.0 * k, scale=9 * k)
    return PigmentLayer(dots > 0.4, melanin=np.float32(rng.uniform(0.3, 0.75)) * dots)


def streaks(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Render dark radial lines at the border: all around at ``disorder`` 0, in one sector at 1."""
    surface, center = DrawSurface(canvas.size), np.array(canvas.size[::-1]) / 2
    sector, spread = rng.uniform(0, 2 * np.pi), np.pi * (1.1 - 0.7 * disorder)
    for x, y in canvas.sample_points(rng, int(rng.uniform(25, 80)), low=-0.02, high=0.14):
        angle = float(np.arctan2(y - center[1], x - center[0]))
        if abs((angle - sector + np.pi) % (2 * np.pi) - np.pi) > spread:
            continue
        angle += rng.normal(0, 0.1 + 0.2 * disorder)
        length = rng.uniform(0.04, 0.13) * canvas.radius
        direction = np.array([np.cos(angle), np.sin(angle)])
        path = np.array([x, y]) + np.linspace(-1.2, 1, 8)[:, None] * length * direction
        surface.draw_tapered_line(
            path, width=rng.uniform(1.2, 3.0) * canvas.scale, strength=rng.uniform(0.15, 0.7)
        )
    lines = blur(surface.to_float(), 1.6 * canvas.scale)
    lines = domain_warp(rng, lines, strength=2.2 * canvas.scale, scale=14 * canvas.scale)
    return PigmentLayer(lines > 0.25, melanin=np.float32(rng.uniform(0.7, 1.3)) * lines)


def blotches(canvas: LesionCanvas, rng: np.random.Generator, disorder: float) -> PigmentLayer:
    """Render a structureless dark area: central at ``disorder`` 0, off-center and ragged at 1."""
    even = smoothstep(0.25, 0.85, canvas.distance_field)
    ragged = canvas.random_patch(rng, area_fraction=rng.uniform(0.12, 0.4), feature_size=0.8)
    area = (1 - disorder) * even + disorder * ragged
    return PigmentLayer(area > 0.5, melanin=np.float32(rng.uniform(0.5, 1.3)) * area)


def blue_white_veil(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render a blue-gray area under a whitish haze."""
    area = blur(
        canvas.random_patch(rng, area_fraction=rng.uniform(0.15, 0.5), feature_size=1.0),
        0.05 * canvas.radius + 2,
    )
    haze = fractal_noise(rng, canvas.size, scale=0.35 * canvas.radius, octaves=4, gain=0.6)
    return PigmentLayer(
        area > 0.4,
        melanin=-0.15 * area,
        dermal_melanin=np.float32(rng.uniform(0.4, 1.1)) * area * (1 + 0.2 * haze),
        scatter=area * np.clip(0.2 + 0.12 * haze, 0, 0.6),
    )


def regression_structures(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render a white scar-like area with blue-gray peppering in place of pigment."""
    area = blur(
        canvas.random_patch(rng, area_fraction=rng.uniform(0.15, 0.45), feature_size=1.1),
        0.04 * canvas.radius + 2,
    )
    pepper = voronoi_cells(rng, canvas.size, spacing=6.5 * canvas.scale, jitter=1.0)
    dots = smoothstep(-1.6 * canvas.scale, 0, -pepper.distance) * (pepper.uniform_per_cell(rng, 0, 1) > 0.45)
    pink = np.float32(rng.uniform(0, 0.3))
    return PigmentLayer(
        area > 0.4,
        melanin=-0.6 * area,
        blood=pink * area,
        dermal_melanin=0.5 * dots * area,
        scatter=0.2 * area,
    )


def milia_like_cysts(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render small whitish dots, some sharp, some cloudy."""
    k, surface = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.uniform(3, 20)), low=0.12, high=2):
        surface.draw_dots([(x, y, rng.gamma(3, 0.9) * k + 0.8 * k)], strength=rng.uniform(0.25, 0.9))
    dots = blur(surface.to_float(), rng.uniform(1.2, 2.4) * k)
    return PigmentLayer(dots > 0.2, melanin=-0.35 * dots, scatter=0.62 * dots)


def comedo_like_openings(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render dark brown plugs, round or oval, with sharp borders."""
    k, surface = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.uniform(6, 26)), low=0.1, high=2):
        long = rng.gamma(4, 1.0) * k + k
        surface.draw_ellipse(
            x, y, (long, long * rng.uniform(0.45, 1)), rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        )
    plugs = domain_warp(rng, blur(surface.to_float(), 1.4 * k), strength=0.8 * k, scale=8 * k)
    rim = np.maximum(blur(plugs, 2.2 * k) - 0.8 * plugs, 0)
    return PigmentLayer(
        plugs > 0.3,
        melanin=np.float32(rng.uniform(0.7, 1.2)) * plugs,
        scatter=np.float32(0.35) * np.asarray(rim, np.float32),
    )


def fissures_and_ridges(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render brain-like fissures and ridges under a waxy haze, with strands of keratin."""
    k, inside = canvas.scale, smoothstep(-0.05, 0.15, canvas.distance_field)
    lines = inside * ridge_lines(
        rng, canvas.size, scale=rng.uniform(14, 34) * k, width=rng.uniform(0.25, 0.5)
    )
    waxy = fractal_noise(rng, canvas.size, scale=0.6 * canvas.radius, octaves=5, gain=0.6)
    haze = np.float32(rng.uniform(0.02, 0.3)) * canvas.opacity * (1 + 0.5 * waxy)
    dark = np.float32(rng.uniform(0.15, 0.42)) * (lines - 0.35 * canvas.opacity)
    return PigmentLayer(lines > 0.5, melanin=dark, scatter=haze + shiny_white_streaks(canvas, rng))


def surface_scale(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render white to yellow scale, crust and bright strands on the surface."""
    k = canvas.scale
    area = canvas.random_patch(rng, area_fraction=rng.uniform(0.1, 0.35), feature_size=0.7, rim=0.0)
    flakes = fractal_noise(rng, canvas.size, scale=11 * k, octaves=4, gain=0.75)
    flakes = smoothstep(0.5, 2.2, flakes) * area
    crust = smoothstep(0.7, 2.0, fractal_noise(rng, canvas.size, scale=20 * k, octaves=3)) * area
    white = 0.6 * flakes + shiny_white_streaks(canvas, rng)
    return PigmentLayer(flakes + crust > 0.3, melanin=0.35 * crust, scatter=white)


def scar_like_area(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render a white scar-like center with a ragged border and shiny strands."""
    noise = fractal_noise(rng, canvas.size, scale=0.5 * canvas.radius, octaves=5, gain=0.65)
    edge = rng.uniform(0.1, 0.5)
    calm = blur(canvas.distance_field, 0.12 * canvas.radius + 1)
    # relative to the deepest point, so that lobed lesions have a center too
    calm /= max(float(calm.max()), 0.1)
    scar = smoothstep(edge, edge + 0.6, calm + 0.16 * noise)
    white = scar * rng.uniform(0.12, 0.42) * (1 + 0.3 * noise) + shiny_white_streaks(canvas, rng)
    return PigmentLayer(
        scar > 0.4, melanin=-0.3 * scar, blood=-0.12 * scar, scatter=np.asarray(white, np.float32)
    )


def shiny_white_streaks(canvas: LesionCanvas, rng: np.random.Generator) -> FloatField:
    """Return patches of fine bright strands (reflections of keratin or collagen), (h, w)."""
    k = canvas.scale
    lines = ridge_lines(rng, canvas.size, scale=rng.uniform(10, 20) * k, width=0.22)
    where = smoothstep(0.3, 1.6, fractal_noise(rng, canvas.size, scale=0.4 * canvas.radius, octaves=4))
    bright = np.float32(rng.uniform(0.2, 0.8))
    return bright * lines * where * smoothstep(0.0, 0.3, canvas.distance_field)


def arborizing_vessels(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render bright red vessels in focus that branch from the border inwards."""
    surface, center = DrawSurface(canvas.size), np.array(canvas.size[::-1]) / 2
    for start in canvas.sample_points(rng, int(rng.integers(2, 7)), low=-0.15, high=0.35):
        direction = float(np.arctan2(center[1] - start[1], center[0] - start[0])) + rng.normal(0, 0.6)
        _draw_branch(
            surface,
            rng,
            start,
            direction,
            rng.uniform(0.4, 1.1) * canvas.radius,
            rng.uniform(1.3, 2.3) * canvas.scale,
            3,
        )
    vessels = blur(surface.to_float(), 1.0 * canvas.scale)
    vessels = domain_warp(rng, vessels, strength=2.4 * canvas.scale, scale=14 * canvas.scale)
    return PigmentLayer(vessels > 0.2, blood=np.float32(rng.uniform(0.4, 1.0)) * vessels)


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
        turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        origin = (float(path[knot, 0]), float(path[knot, 1]))
        _draw_branch(
            surface, rng, origin, direction + turn, length * rng.uniform(0.35, 0.65), width * 0.68, depth - 1
        )


def red_lacunae(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render red, purple or black (clotted) lacunae, round with sharp borders, separated by whitish septa."""
    k = canvas.scale
    mean = float(np.clip(rng.uniform(0.1, 0.32) * canvas.radius, 4 * k, 26 * k))
    lattice = voronoi_cells(rng, canvas.size, spacing=2 * mean, jitter=0.8)
    reach = lattice.uniform_per_cell(rng, 0.7, 1.3) * np.float32(mean) - lattice.distance
    dark = rng.choice([0.0, 0.15, 0.6], p=[0.5, 0.3, 0.2])
    clot = (lattice.uniform_per_cell(rng, 0, 1) < dark) * lattice.uniform_per_cell(rng, 0.1, 0.9)
    # blood is visible through the septa
    between = np.float32(rng.uniform(0.1, 0.6))
    round_ = smoothstep(-0.25 * mean, 0.25 * mean, reach)
    wave, inside = rng.integers(2**32), smoothstep(-0.06, 0.1, canvas.distance_field)
    full, clotted = (
        blur(
            domain_warp(np.random.default_rng(wave), field, strength=0.2 * mean, scale=2 * mean),
            rng.uniform(1.2, 2.2) * k,
        )
        * inside
        for field in (
            (between + (1 - between) * round_) * lattice.uniform_per_cell(rng, 0.75, 1.0),
            round_ * clot,
        )
    )
    blood = np.float32(rng.uniform(0.5, 1.1)) * full
    purple = np.float32(rng.uniform(0.0, 0.25))
    septa = np.float32(rng.uniform(0.0, 0.22)) * inside * (1 - smoothstep(float(between), 0.8, full))
    return PigmentLayer(
        full > 0.2,
        melanin=0.4 * clotted,
        blood=blood,
        dermal_melanin=purple * blood + clotted,
        scatter=septa,
    )


def strawberry_pattern(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render a red pseudo-network around pale follicles with yellowish plugs."""
    k = canvas.scale
    lattice = voronoi_cells(rng, canvas.size, spacing=rng.uniform(12, 20) * k, jitter=1.0)
    hole = lattice.uniform_per_cell(rng, -1.0, 5.0) * np.float32(k)
    follicles = smoothstep(-2.6 * k, 2.6 * k, hole - lattice.distance) * lattice.uniform_per_cell(
        rng, 0.1, 0.9
    )
    follicles = domain_warp(rng, follicles, strength=1.5 * k, scale=9 * k)
    where = smoothstep(-0.7, 0.5, canvas.distance_field)
    where *= smoothstep(
        -0.7, 1.2, fractal_noise(rng, canvas.size, scale=0.7 * canvas.radius, octaves=5, gain=0.6)
    )
    brown = np.float32(rng.choice([0.0, 0.25], p=[0.5, 0.5]))
    patchy = 1 + 0.45 * fractal_noise(rng, canvas.size, scale=36 * k, octaves=4)
    net = (1 - 1.2 * follicles) * where
    blood = np.float32(rng.uniform(0.12, 0.32)) * net * patchy
    return PigmentLayer(net > 0.5, melanin=brown * net * patchy, blood=blood, scatter=0.1 * follicles * where)


def blue_gray_ovoid_nests(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render blue-gray ovoid nests, globules and leaf-like areas of basal cells."""
    k, surface = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.integers(3, 13)), low=-0.05, high=0.8):
        long = rng.gamma(2.2, 0.04) * canvas.radius + 2 * k
        axes = (long, long * rng.uniform(0.45, 0.95))
        surface.draw_ellipse(x, y, axes, rng.uniform(0, np.pi), rng.uniform(0.35, 1))
    nests = domain_warp(rng, blur(surface.to_float(), rng.uniform(3, 7) * k), strength=3 * k, scale=20 * k)
    nests *= 1 + 0.2 * fractal_noise(rng, canvas.size, scale=14 * k, octaves=3, gain=0.7)
    brown = rng.uniform(0.1, 0.5)
    return PigmentLayer(
        nests > 0.25,
        melanin=np.float32(brown) * nests,
        dermal_melanin=np.float32(1.2 - brown) * np.float32(rng.uniform(0.4, 0.75)) * nests,
    )


def ulceration(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Render an erosion: structureless red to orange-brown with crust."""
    area = blur(
        canvas.random_patch(rng, area_fraction=rng.uniform(0.06, 0.2), feature_size=0.6, rim=0.2),
        1.5 * canvas.scale,
    )
    rough = fractal_noise(rng, canvas.size, scale=12 * canvas.scale, octaves=3, gain=0.6)
    crust = area * smoothstep(0.0, 1.4, rough)
    return PigmentLayer(area > 0.4, melanin=0.2 * area + 0.5 * crust, blood=0.65 * area, scatter=0.1 * area)
