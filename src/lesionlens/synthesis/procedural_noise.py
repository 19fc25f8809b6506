"""Procedural noise and drawing: fractal noise, ridge lines, Voronoi cells, and antialiased lines and shapes."""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import ImageSize

FloatField = npt.NDArray[np.float32]
PathPoints = npt.NDArray[np.floating]
_SUBPIXEL_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel


class VoronoiCells(NamedTuple):
    """Voronoi cells of a jittered hexagonal lattice.

    Attributes
    ----------
    distance
        Distance to the nearest seed in pixels, (h, w).
    edges
        1 on the lines between cells, else 0, (h, w).
    labels
        Number of the cell, starting at 1, (h, w).
    """

    distance: FloatField
    edges: FloatField
    labels: npt.NDArray[np.int32]

    def uniform_per_cell(self, rng: np.random.Generator, low: float, high: float) -> FloatField:
        """Sample one uniform value per cell, (h, w)."""
        table = rng.uniform(low, high, int(self.labels.max()) + 1).astype(np.float32)
        return table[self.labels]


def smoothstep(low: float, high: float, x: FloatField) -> FloatField:
    """Interpolate smoothly from 0 at ``low`` to 1 at ``high`` (cubic)."""
    t = x * np.float32(1 / (high - low))
    t -= np.float32(low / (high - low))
    np.clip(t, 0, 1, out=t)
    rise = 3 - 2 * t
    t *= t
    t *= rise
    return t


def blur(x: FloatField, sigma: float) -> FloatField:
    """Apply a Gaussian blur with ``sigma`` in pixels; no blur below 0.25."""
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma), np.float32) if sigma >= 0.25 else x


def fractal_noise(
    rng: np.random.Generator, size: ImageSize, *, scale: float, octaves: int = 4, gain: float = 0.5
) -> FloatField:
    """Return noise of about zero mean and unit deviation whose coarsest features are ``scale`` pixels wide, (h, w).

    Each octave is sampled on its own grid and upsampled to the next, so that all octaves together cost little more than
    the finest one.
    """
    field: FloatField | None = None
    power = 0.0
    for octave in range(octaves):
        step = scale / 2**octave
        if step < 1.5 and field is not None:
            break
        noise = _octave(rng, size, step) * np.float32(gain**octave)
        power += gain ** (2 * octave)
        field = noise if field is None else noise + _upsample(field, noise.shape)
    assert field is not None
    return np.asarray(_upsample(field, size) * np.float32(1 / np.sqrt(power)), np.float32)


def ridge_lines(rng: np.random.Generator, size: ImageSize, *, scale: float, width: float) -> FloatField:
    """Return thin winding and branching lines along the zero crossings of noise, 0 to 1, (h, w).

    Neighboring lines are about ``scale`` pixels apart. ``width`` is the distance from zero, in deviations of the noise,
    at which a line begins: lines are wider where the noise is flat.
    """
    return smoothstep(-width, 0, -np.abs(fractal_noise(rng, size, scale=scale, octaves=4, gain=0.55)))


def voronoi_cells(
    rng: np.random.Generator, size: ImageSize, *, spacing: float, jitter: float
) -> VoronoiCells:
    """Return cells about ``spacing`` pixels apart; ``jitter`` 0 is a honeycomb, 1 is random."""
    h, w = size
    rows, columns = int(h / (0.866 * spacing)) + 2, int(w / spacing) + 2
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x += 0.5 * (y % 2)
    shift = rng.uniform(-0.5, 0.5, (2, rows, columns)) * jitter
    px = np.clip((x + shift[0]) * spacing, 0, w - 1).astype(int)
    py = np.clip((y + shift[1]) * 0.866 * spacing, 0, h - 1).astype(int)
    seeds = np.full(size, 255, np.uint8)
    seeds[py, px] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    numbers = labels.astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edges = cv2.dilate(numbers, cross) != numbers
    return VoronoiCells(
        np.asarray(distance, np.float32), edges.astype(np.float32), np.asarray(labels, np.int32)
    )


def domain_warp(rng: np.random.Generator, field: FloatField, *, strength: float, scale: float) -> FloatField:
    """Displace a field by about ``strength`` pixels, smoothly over ``scale`` pixels."""
    h, w = field.shape
    x = fractal_noise(rng, (h, w), scale=scale, octaves=2) * np.float32(strength)
    y = fractal_noise(rng, (h, w), scale=scale, octaves=2) * np.float32(strength)
    x += np.arange(w, dtype=np.float32)
    y += np.arange(h, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def white_noise(rng: np.random.Generator, size: ImageSize) -> FloatField:
    """Return white noise of zero mean and unit deviation from random bytes, far cheaper than normal samples."""
    samples = np.frombuffer(rng.bytes(size[0] * size[1]), np.uint8).reshape(size)
    return (samples - np.float32(127.5)) * np.float32(1 / 73.9)


def _octave(rng: np.random.Generator, size: ImageSize, grain_size: float) -> FloatField:
    """Return one octave: unit noise with one grain per ``grain_size`` pixels; coarse grains are smoothed."""
    fine = 0.5 if grain_size > 2.5 else 1.0
    grid = (max(3, round(size[0] / (fine * grain_size))), max(3, round(size[1] / (fine * grain_size))))
    noise = white_noise(rng, grid)
    # White noise on a coarse grid would show the grid as squares; 3.54 restores unit deviation.
    return noise if fine == 1 else blur(noise, 1.0) * np.float32(3.54)


def _upsample(field: FloatField, size: ImageSize) -> FloatField:
    # Linear interpolation suffices: all but the finest octaves are sampled at twice the necessary density.
    return np.asarray(cv2.resize(field, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


class DrawSurface:
    """8-bit drawing surface, read back in 0 to 1 with ``to_float``."""

    def __init__(self, size: ImageSize) -> None:
        self.pixels = np.zeros(size, np.uint8)

    def draw_line(self, points: PathPoints, *, width: float, strength: float = 1.0) -> None:
        """Draw a line through ``points``, (n, 2) as x, y; lines thinner than a pixel are fainter."""
        value = int(255 * np.clip(strength * min(1.0, width), 0, 1))
        path = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(self.pixels, [path], False, value, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)

    def draw_tapered_line(self, points: PathPoints, *, width: float, strength: float = 1.0) -> None:
        """Draw a line that becomes thinner towards its end."""
        thirds = np.array_split(np.arange(len(points)), 3)
        for number, indices in enumerate(thirds):
            stop = min(len(points), indices[-1] + 2)
            self.draw_line(points[indices[0] : stop], width=width * (1 - 0.3 * number), strength=strength)

    def draw_dots(self, dots: Iterable[tuple[float, float, float]], *, strength: float = 1.0) -> None:
        """Draw filled discs given as x, y, radius."""
        value = int(255 * strength)
        for x, y, radius in dots:
            center = (round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS))
            cv2.circle(
                self.pixels, center, round(radius * 2**_SUBPIXEL_BITS), value, -1, cv2.LINE_AA, _SUBPIXEL_BITS
            )

    def draw_ellipse(
        self, x: float, y: float, axes: tuple[float, float], angle: float, strength: float
    ) -> None:
        """Draw a filled ellipse with half axes ``axes``, rotated by ``angle`` radians."""
        center = (round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS))
        half = (round(axes[0] * 2**_SUBPIXEL_BITS), round(axes[1] * 2**_SUBPIXEL_BITS))
        value = int(255 * strength)
        cv2.ellipse(
            self.pixels, center, half, np.degrees(angle), 0, 360, value, -1, cv2.LINE_AA, _SUBPIXEL_BITS
        )

    def to_float(self) -> FloatField:
        """Return the drawing, 0 to 1, (h, w)."""
        return np.asarray(self.pixels * np.float32(1 / 255), np.float32)


def random_walk_path(
    rng: np.random.Generator,
    start: tuple[float, float],
    *,
    direction: float,
    length: float,
    curvature: float,
    num_steps: int,
) -> PathPoints:
    """Return a path that starts in ``direction`` and turns randomly, (num_steps + 1, 2)."""
    angles = direction + np.cumsum(rng.normal(0, curvature, num_steps))
    steps = np.stack([np.cos(angles), np.sin(angles)], 1) * (length / num_steps)
    return np.asarray(np.concatenate([[start], start + np.cumsum(steps, 0)]))
