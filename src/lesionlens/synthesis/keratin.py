"""Structures of keratin: milia-like cysts, comedo-like openings, ridges, scale, scar-like centre."""

import numpy as np

from lesionlens.synthesis.ground import LesionCanvas
from lesionlens.synthesis.noise import FloatField, domain_warp, blur, fractal_noise, smoothstep, ridge_lines
from lesionlens.synthesis.pigment import PigmentLayer
from lesionlens.synthesis.strokes import DrawSurface


def milia_like_cysts(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Milia-like cysts: small whitish dots, some starry, some cloudy."""
    k, sheet = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.uniform(3, 20)), low=0.12, high=2):
        sheet.draw_dots([(x, y, rng.gamma(3, 0.9) * k + 0.8 * k)], strength=rng.uniform(0.25, 0.9))
    dots = blur(sheet.to_float(), rng.uniform(1.2, 2.4) * k)
    return PigmentLayer(dots > 0.2, melanin=-0.35 * dots, scatter=0.62 * dots)


def comedo_like_openings(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Comedo-like openings: dark brown plugs, round or oval, sharply bordered."""
    k, sheet = canvas.scale, DrawSurface(canvas.size)
    for x, y in canvas.sample_points(rng, int(rng.uniform(6, 26)), low=0.1, high=2):
        long = rng.gamma(4, 1.0) * k + k
        sheet.draw_ellipse(x, y, (long, long * rng.uniform(0.45, 1)), rng.uniform(0, np.pi), rng.uniform(0.4, 1))
    plugs = domain_warp(rng, blur(sheet.to_float(), 1.4 * k), strength=0.8 * k, scale=8 * k)
    rim = np.maximum(blur(plugs, 2.2 * k) - 0.8 * plugs, 0)
    return PigmentLayer(
        plugs > 0.3,
        melanin=np.float32(rng.uniform(0.7, 1.2)) * plugs,
        scatter=np.float32(0.35) * np.asarray(rim, np.float32),
    )


def fissures_and_ridges(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """Fissures and ridges like the surface of a brain under a waxy haze, with strands of keratin."""
    k, inside = canvas.scale, smoothstep(-0.05, 0.15, canvas.distance_field)
    lines = inside * ridge_lines(rng, canvas.size, scale=rng.uniform(14, 34) * k, width=rng.uniform(0.25, 0.5))
    waxy = fractal_noise(rng, canvas.size, scale=0.6 * canvas.radius, octaves=5, gain=0.6)
    haze = np.float32(rng.uniform(0.02, 0.3)) * canvas.opacity * (1 + 0.5 * waxy)
    dark = np.float32(rng.uniform(0.15, 0.42)) * (lines - 0.35 * canvas.opacity)
    return PigmentLayer(lines > 0.5, melanin=dark, scatter=haze + shiny_white_streaks(canvas, rng))


def surface_scale(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """White to yellow scale, crust and bright strands lying on the surface."""
    k = canvas.scale
    area = canvas.random_patch(rng, area_fraction=rng.uniform(0.1, 0.35), feature_size=0.7, rim=0.0)
    flakes = fractal_noise(rng, canvas.size, scale=11 * k, octaves=4, gain=0.75)
    flakes = smoothstep(0.5, 2.2, flakes) * area
    crust = smoothstep(0.7, 2.0, fractal_noise(rng, canvas.size, scale=20 * k, octaves=3)) * area
    white = 0.6 * flakes + shiny_white_streaks(canvas, rng)
    return PigmentLayer(flakes + crust > 0.3, melanin=0.35 * crust, scatter=white)


def scar_like_area(canvas: LesionCanvas, rng: np.random.Generator, _disorder: float) -> PigmentLayer:
    """White scar-like centre with a ragged end and shiny strands."""
    noise = fractal_noise(rng, canvas.size, scale=0.5 * canvas.radius, octaves=5, gain=0.65)
    edge = rng.uniform(0.1, 0.5)
    calm = blur(canvas.distance_field, 0.12 * canvas.radius + 1)
    # measured from the deepest place, so that lobed lesions have a centre too
    calm /= max(float(calm.max()), 0.1)
    heart = smoothstep(edge, edge + 0.6, calm + 0.16 * noise)
    white = heart * rng.uniform(0.12, 0.42) * (1 + 0.3 * noise) + shiny_white_streaks(canvas, rng)
    return PigmentLayer(heart > 0.4, melanin=-0.3 * heart, blood=-0.12 * heart, scatter=np.asarray(white, np.float32))


def shiny_white_streaks(canvas: LesionCanvas, rng: np.random.Generator) -> FloatField:
    """Fine bright strands where keratin or collagen reflects the lamp, in patches; (h, w)."""
    k = canvas.scale
    lines = ridge_lines(rng, canvas.size, scale=rng.uniform(10, 20) * k, width=0.22)
    where = smoothstep(0.3, 1.6, fractal_noise(rng, canvas.size, scale=0.4 * canvas.radius, octaves=4))
    bright = np.float32(rng.uniform(0.2, 0.8))
    return bright * lines * where * smoothstep(0.0, 0.3, canvas.distance_field)
