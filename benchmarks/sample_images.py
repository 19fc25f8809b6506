"""Folders of random JPEG files with about as much detail as dermoscopic images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE_CLASSES = ("melanoma", "nevus")


def write_sample_image(file: Path, width: int, height: int, *, seed: int = 0) -> Path:
    """Write a JPEG of quality 90: smooth blots with a little noise."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(90, 200, (height // 8, width // 8, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = np.clip(smooth + rng.integers(-6, 7, smooth.shape, dtype=np.int16), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(file, quality=90)
    return file


def write_labeled_images(
    folder: Path, count: int, *, first: int = 0, width: int = 600, height: int = 450
) -> Sequence[Path]:
    """Write sample images to a folder per class, numbered from ``first``."""
    files = []
    for number in range(first, first + count):
        file = folder / SAMPLE_CLASSES[number % len(SAMPLE_CLASSES)] / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        files.append(write_sample_image(file, width, height, seed=number))
    return files
