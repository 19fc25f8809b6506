"""How cost grows with size: time in turn over the sizes, peak memory of each in a fresh process.

python benchmarks/growth.py [--rounds N] [--json FILE] [--long] [--figure docs/img/speed-growth.svg]
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np
import steps
import torch
from curves import Curve
from growth_figure import draw
from harness import arguments, finish, options, timed
from peaks import peaks
from photographs import CLASSES, labelled

from lesionlens.models.bundle import Card, save_model
from lesionlens.models.create import architecture
from lesionlens.preprocessing import Preprocessing
from lesionlens.scoring.predict import predict
from lesionlens.training.precision import Precision, choose_precision

SIDE, BATCH, MANY = 224, 8, 1000
STEPS = {"fp32": steps.exact, "bf16": steps.rough}


@dataclass(frozen=True)
class Work:
    """What is done at each size: `make` gives the work of one, ready to be called."""

    name: str
    size: str
    sizes: Sequence[int]
    make: Callable[[int], Callable[[], object]]


def of_batch(network: str, kind: Precision, batch: int) -> Callable[[], object]:
    return STEPS[kind]({"backbone": network}, batch, SIDE)


def of_pixels(network: str, kind: Precision, pixels: int) -> Callable[[], object]:
    return STEPS[kind]({"backbone": network}, BATCH, isqrt(pixels))


def of_images(folder: Path, images: int) -> Callable[[], object]:
    """Give the prediction of so many files of the folder."""
    files = sorted(folder.rglob("*.jpg"))[:images]
    return lambda: predict(folder / "bundle", files, out=folder / "scores.csv")


def of_crops(count: int) -> Callable[[], object]:
    """Give the cutting of so many crops from one decoded image."""
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    seen = Preprocessing(crops="multiscale", crop_count=count)
    return lambda: seen.views(image)


def works(network: str, folder: Path, *, long: bool) -> Sequence[Work]:
    """Say what is measured at which sizes; training in the precision that a run would choose."""
    sides = [64, 112, 224, 320]
    made, processor = architecture(None, backbone=network), torch.device("cpu")
    kind = choose_precision(made, (SIDE, SIDE), processor, steps=MANY)
    return (
        Work("training step", "images a batch", [1, 4, 16], partial(of_batch, network, kind)),
        Work(
            "training step", "pixels an image", [side**2 for side in sides], partial(of_pixels, network, kind)
        ),
        Work("prediction", "images", images_predicted(long=long), partial(of_images, folder)),
        Work("cropping", "crops", [1, 4, 16, 60, 240], of_crops),
    )


def images_predicted(*, long: bool) -> list[int]:
    return [64, 512, 4096] if long else [8, 32, 128]


def scored_folder(folder: Path, network: str, count: int) -> Path:
    """Write photographs, and a bundle that can score them."""
    labelled(folder, count)
    made = architecture(None, backbone=network)
    card = Card(architecture=made, classes=CLASSES, preprocessing=Preprocessing(input_size=(SIDE, SIDE)))
    save_model(folder / "bundle", made.build(len(CLASSES)), card)
    return folder


def measured(work: Work, *, rounds: int) -> Curve:
    """Time the sizes in turn, and weigh each in a process of its own."""
    seconds = timed({str(size): work.make(size) for size in work.sizes}, rounds=rounds)
    held = peaks(partial(work.make, size) for size in work.sizes)
    return Curve(
        name=work.name,
        size=work.size,
        sizes=tuple(work.sizes),
        seconds=tuple(statistics.median(times) for times in seconds.values()),
        megabytes=tuple(each / 1e6 for each in held),
    )


def main() -> None:
    arguments.add_argument("--figure", type=Path, help="draw the curves here (.svg, .png)")
    said = options()
    network = "resnet50" if said.long else "mobilenetv2_100"
    with tempfile.TemporaryDirectory() as name:
        os.environ["LESIONLENS_CACHE"] = name  # of all processes that follow
        folder = scored_folder(Path(name), network, max(images_predicted(long=said.long)))
        curves = [measured(work, rounds=said.rounds) for work in works(network, folder, long=said.long)]
    finish(f"Cost against size ({network})", [], curves)
    if said.figure:
        draw(curves, said.figure)


if __name__ == "__main__":
    main()
