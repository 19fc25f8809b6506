"""Lines and dots drawn with sub-pixel places on a field between zero and one."""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.noise import FloatField, ImageSize

_SUBPIXEL_BITS = 4  # OpenCV takes places in sixteenths of a pixel
PathPoints = npt.NDArray[np.floating]


class DrawSurface:
    """An 8-bit sheet to draw on; `field` gives it back in 0…1."""

    def __init__(self, size: ImageSize) -> None:
        self.pixels = np.zeros(size, np.uint8)

    def draw_line(self, points: PathPoints, *, width: float, strength: float = 1.0) -> None:
        """Draw through ``points`` (n, 2) as x, y; lines thinner than a pixel become fainter."""
        value = int(255 * np.clip(strength * min(1.0, width), 0, 1))
        path = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(self.pixels, [path], False, value, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)

    def draw_tapered_line(self, points: PathPoints, *, width: float, strength: float = 1.0) -> None:
        """Draw a line that thins towards its end."""
        thirds = np.array_split(np.arange(len(points)), 3)
        for number, part in enumerate(thirds):
            stop = min(len(points), part[-1] + 2)
            self.draw_line(points[part[0] : stop], width=width * (1 - 0.3 * number), strength=strength)

    def draw_dots(self, dots: Iterable[tuple[float, float, float]], *, strength: float = 1.0) -> None:
        """Draw filled discs given as x, y, radius."""
        value = int(255 * strength)
        for x, y, radius in dots:
            centre = (round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS))
            cv2.circle(self.pixels, centre, round(radius * 2**_SUBPIXEL_BITS), value, -1, cv2.LINE_AA, _SUBPIXEL_BITS)

    def draw_ellipse(self, x: float, y: float, axes: tuple[float, float], angle: float, strength: float) -> None:
        """Draw one filled ellipse; ``axes`` are half lengths, ``angle`` radians."""
        centre = (round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS))
        half = (round(axes[0] * 2**_SUBPIXEL_BITS), round(axes[1] * 2**_SUBPIXEL_BITS))
        value = int(255 * strength)
        cv2.ellipse(self.pixels, centre, half, np.degrees(angle), 0, 360, value, -1, cv2.LINE_AA, _SUBPIXEL_BITS)

    def to_float(self) -> FloatField:
        """Give what was drawn; (h, w) in 0…1."""
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
    """Give a path that starts towards ``direction`` and changes its mind; (steps + 1, 2)."""
    turns = direction + np.cumsum(rng.normal(0, curvature, num_steps))
    moves = np.stack([np.cos(turns), np.sin(turns)], 1) * (length / num_steps)
    return np.asarray(np.concatenate([[start], start + np.cumsum(moves, 0)]))
