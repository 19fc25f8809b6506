"""Lines and dots drawn with sub-pixel places on a field between zero and one."""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.noise import Field, Size

_SHIFT = 4  # OpenCV takes places in sixteenths of a pixel
Points = npt.NDArray[np.floating]


class Sheet:
    """An 8-bit sheet to draw on; `field` gives it back in 0…1."""

    def __init__(self, size: Size) -> None:
        self.ink = np.zeros(size, np.uint8)

    def line(self, points: Points, *, width: float, strength: float = 1.0) -> None:
        """Draw through ``points`` (n, 2) as x, y; lines thinner than a pixel become fainter."""
        value = int(255 * np.clip(strength * min(1.0, width), 0, 1))
        path = np.round(points * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(self.ink, [path], False, value, max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def tapered(self, points: Points, *, width: float, strength: float = 1.0) -> None:
        """Draw a line that thins towards its end."""
        thirds = np.array_split(np.arange(len(points)), 3)
        for number, part in enumerate(thirds):
            stop = min(len(points), part[-1] + 2)
            self.line(points[part[0] : stop], width=width * (1 - 0.3 * number), strength=strength)

    def dots(self, dots: Iterable[tuple[float, float, float]], *, strength: float = 1.0) -> None:
        """Draw filled discs given as x, y, radius."""
        value = int(255 * strength)
        for x, y, radius in dots:
            centre = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
            cv2.circle(self.ink, centre, round(radius * 2**_SHIFT), value, -1, cv2.LINE_AA, _SHIFT)

    def ellipse(self, x: float, y: float, axes: tuple[float, float], turn: float, strength: float) -> None:
        """Draw one filled ellipse; ``axes`` are half lengths, ``turn`` radians."""
        centre = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
        half = (round(axes[0] * 2**_SHIFT), round(axes[1] * 2**_SHIFT))
        value = int(255 * strength)
        cv2.ellipse(self.ink, centre, half, np.degrees(turn), 0, 360, value, -1, cv2.LINE_AA, _SHIFT)

    def field(self) -> Field:
        """Give what was drawn; (h, w) in 0…1."""
        return np.asarray(self.ink * np.float32(1 / 255), np.float32)


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    *,
    turn: float,
    length: float,
    curl: float,
    steps: int,
) -> Points:
    """Give a path that starts towards ``turn`` and changes its mind; (steps + 1, 2)."""
    turns = turn + np.cumsum(rng.normal(0, curl, steps))
    moves = np.stack([np.cos(turns), np.sin(turns)], 1) * (length / steps)
    return np.asarray(np.concatenate([[start], start + np.cumsum(moves, 0)]))
