"""Images, masks and small text tables for tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IMAGE_SIZE = (12, 9)


def write_image(path: Path, *, seed: int = 0, size: tuple[int, int] = IMAGE_SIZE, **options: Any) -> Path:
    """Write a small image whose bytes depend on the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_mask(path: Path, *, size: tuple[int, int] = IMAGE_SIZE) -> Path:
    """Write a mask with a white ellipse in the center."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    Image.fromarray(np.where(x**2 + y**2 < 0.5, 255, 0).astype(np.uint8)).save(path)
    return path


def write_lines(path: Path, header: str, lines: Iterable[str]) -> Path:
    """Write a small text table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*([header] if header else []), *lines, ""]), encoding="utf-8")
    return path


def textured_image(width: int = 101, height: int = 75) -> Image.Image:
    """Generate blots with added noise."""
    rng = np.random.default_rng(0)
    blots = Image.fromarray(rng.integers(0, 256, (8, 11, 3), dtype=np.uint8)).resize((width, height))
    noise = rng.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(blots) + noise, 0, 255).astype(np.uint8))
