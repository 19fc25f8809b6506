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

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.predict import predict
from lesionlens.models.factory import make_model_spec
from lesionlens.models.saved_model import ModelCard, save_model
from lesionlens.training.autotune import TrainPrecision, choose_precision

INPUT_SIZE, BATCH_SIZE, NUM_STEPS = 224, 8, 1000
STEP_BY_PRECISION = {"fp32": steps.exact, "bf16": steps.rough}


@dataclass(frozen=True)
class Workload:
    """What is done at each size: `make` gives the work of one, ready to be called."""

    name: str
    size: str
    sizes: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]


def prepare_batch_step(network: str, precision: TrainPrecision, batch: int) -> Callable[[], object]:
    return STEP_BY_PRECISION[precision]({"backbone": network}, batch, INPUT_SIZE)


def prepare_pixels_step(network: str, precision: TrainPrecision, pixels: int) -> Callable[[], object]:
    return STEP_BY_PRECISION[precision]({"backbone": network}, BATCH_SIZE, isqrt(pixels))


def prepare_prediction(folder: Path, num_images: int) -> Callable[[], object]:
    """Give the prediction of so many files of the folder."""
    files = sorted(folder.rglob("*.jpg"))[:num_images]
    return lambda: predict(folder / "bundle", files, out=folder / "scores.csv")


def prepare_cropping(count: int) -> Callable[[], object]:
    """Give the cutting of so many crops from one decoded image."""
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    seen = Preprocessing(crops="multiscale", crop_count=count)
    return lambda: seen.extract_crops(image)


def list_workloads(network: str, folder: Path, *, full: bool) -> Sequence[Workload]:
    """Say what is measured at which sizes; training in the precision that a run would choose."""
    sides = [64, 112, 224, 320]
    made, processor = make_model_spec(None, backbone=network), torch.device("cpu")
    kind = choose_precision(made, (INPUT_SIZE, INPUT_SIZE), processor, steps=NUM_STEPS)
    return (
        Workload("training step", "images a batch", [1, 4, 16], partial(prepare_batch_step, network, kind)),
        Workload(
            "training step",
            "pixels an image",
            [side**2 for side in sides],
            partial(prepare_pixels_step, network, kind),
        ),
        Workload("prediction", "images", prediction_sizes(full=full), partial(prepare_prediction, folder)),
        Workload("cropping", "crops", [1, 4, 16, 60, 240], prepare_cropping),
    )


def prediction_sizes(*, full: bool) -> list[int]:
    return [64, 512, 4096] if full else [8, 32, 128]


def write_prediction_folder(folder: Path, network: str, count: int) -> Path:
    """Write photographs, and a bundle that can score them."""
    labelled(folder, count)
    made = make_model_spec(None, backbone=network)
    card = ModelCard(
        architecture=made, classes=CLASSES, preprocessing=Preprocessing(input_size=(INPUT_SIZE, INPUT_SIZE))
    )
    save_model(folder / "bundle", made.build(len(CLASSES)), card)
    return folder


def measure_scaling(workload: Workload, *, rounds: int) -> Curve:
    """Time the sizes in turn, and weigh each in a process of its own."""
    seconds = timed({str(size): workload.prepare(size) for size in workload.sizes}, rounds=rounds)
    held = peaks(partial(workload.prepare, size) for size in workload.sizes)
    return Curve(
        name=workload.name,
        size=workload.size,
        sizes=tuple(workload.sizes),
        seconds=tuple(statistics.median(times) for times in seconds.values()),
        megabytes=tuple(each / 1e6 for each in held),
    )


def main() -> None:
    arguments.add_argument("--figure", type=Path, help="draw the curves here (.svg, .png)")
    said = options()
    network = "resnet50" if said.long else "mobilenetv2_100"
    with tempfile.TemporaryDirectory() as name:
        os.environ["LESIONLENS_CACHE"] = name  # of all processes that follow
        folder = write_prediction_folder(Path(name), network, max(prediction_sizes(full=said.long)))
        curves = [
            measure_scaling(work, rounds=said.rounds)
            for work in list_workloads(network, folder, full=said.long)
        ]
    finish(f"Cost against size ({network})", [], curves)
    if said.figure:
        draw(curves, said.figure)


if __name__ == "__main__":
    main()
