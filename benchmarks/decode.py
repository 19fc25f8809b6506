"""Decoding and cropping against the plain way: alternately, in one run, as ratios. Prints a table, writes JSON.

python benchmarks/decode.py [decode.json]
"""

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from lesionlens.crops.cut import resized_crop
from lesionlens.crops.multiscale import Multiscale
from lesionlens.data.images import read_rgb

ROUNDS = 7


def photograph(width: int, height: int, folder: Path) -> Path:
    """Write a JPEG with about the detail of a photograph."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(90, 200, (height // 8, width // 8, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
    file = folder / f"{width}x{height}.jpg"
    Image.fromarray(noisy).save(file, quality=90)
    return file


def plain_decode(file: Path) -> None:
    """Decode every pixel, then resize."""
    whole = np.asarray(Image.open(io.BytesIO(file.read_bytes())).convert("RGB"))
    Image.fromarray(whole).resize((224, 224), Image.Resampling.BILINEAR)


def our_decode(file: Path) -> None:
    read_rgb(file, shorter_side=224)


def plain_crops(file: Path) -> None:
    """Decode for every crop."""
    rng = np.random.default_rng(0)
    for number in range(60):
        image = Image.open(file).convert("RGB")
        top, left, height, width = Multiscale()(image.height, image.width, number, rng)
        image.crop((left, top, left + width, top + height)).resize((224, 224), Image.Resampling.BILINEAR)


def our_crops(file: Path) -> None:
    """Decode once."""
    rng = np.random.default_rng(0)
    image = read_rgb(file)
    for number in range(60):
        resized_crop(image, Multiscale()(image.shape[0], image.shape[1], number, rng), (224, 224))


def compare(
    name: str, plain: Callable[[Path], None], ours: Callable[[Path], None], file: Path
) -> dict[str, object]:
    """Time both in turn; the ratio is taken pair by pair."""
    pairs = [(clock(plain, file), clock(ours, file)) for _ in range(ROUNDS)]
    ratio = statistics.median(first / second for first, second in pairs)
    row = {
        "what": name,
        "plain_ms": min(p for p, _ in pairs),
        "ours_ms": min(o for _, o in pairs),
        "ratio": ratio,
    }
    print(f"{name:<28}{row['plain_ms']:>10.1f} ms{row['ours_ms']:>10.1f} ms{ratio:>8.1f} x")
    return row


def clock(work: Callable[[Path], None], file: Path) -> float:
    started = time.perf_counter()
    work(file)
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, large = photograph(600, 450, Path(folder)), photograph(4000, 3000, Path(folder))
        print(f"{'':<28}{'plain':>13}{'ours':>13}{'ratio':>10}")
        rows = [
            compare("decode 600x450 to 224", plain_decode, our_decode, small),
            compare("decode 12 Mpx to 224", plain_decode, our_decode, large),
            compare("60 crops of 600x450", plain_crops, our_crops, small),
        ]
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
