"""How long a run will take here: by a twin that is finished, else by timing a few steps of its network."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lesionlens.atomic import write_text
from lesionlens.data.visits import Visits
from lesionlens.experiments.job import Job
from lesionlens.training.objective import copies_of_images
from lesionlens.training.precision import WORTH_COMPILING, choose_precision
from lesionlens.training.prepare import prepare
from lesionlens.training.prepared import Prepared

FEW = 4  # crops that are timed at once on a CPU; a GPU is timed with the recipe's own batch
STEPS = 2  # after one that is not counted
AROUND = 4.0  # seconds of preparing, drawing maps and writing the report: what a run of a tiny network takes


@dataclass(frozen=True)
class Cost:
    """What a run is expected to cost.

    Attributes
    ----------
    images, classes
        Training images, and the classes that the network scores.
    seconds
        Of computing, if no early stop comes before; reading images is not in it.
    """

    images: int
    seconds: float
    classes: tuple[str, ...]


def cost(job: Job, out: Path, *, twins: Sequence[Job] = ()) -> Cost:
    """Expect the cost of a run.

    Parameters
    ----------
    out
        Folder of the reproduction, which keeps what was timed.
    twins
        Runs that differ in seed or fold alone.

    Raises
    ------
    LesionLensError
        The run cannot be prepared: data, masks or network are not as its recipe says.
    """
    prepared = prepare(job.recipe)
    images, classes = len(prepared.split.parts["train"]), tuple(prepared.task.classes)
    for twin in twins:
        if twin.finished(out) and (seconds := float(twin.folder(out).record()["seconds"])):
            return Cost(images, AROUND + seconds, classes)
    train, test = _pace(prepared, out)
    passed = _visits(prepared)
    seen = prepared.preprocessing.crop_count if prepared.network.architecture.crops is None else 1
    held = {name: len(ids) * seen for name, ids in prepared.split.parts.items() if name != "train"}
    each = passed * train + held.get("validation", 0) * test
    return Cost(images, AROUND + job.recipe.train.epochs * each + sum(held.values()) * test, classes)


def _visits(prepared: Prepared) -> int:
    said, targets = prepared.recipe.train, prepared.targets("train")
    together = prepared.network.architecture.crops is not None
    return len(
        Visits(
            targets,
            crops=1 if together else prepared.recipe.crops.train_count,
            passes=said.passes,
            sampling=said.sampling,
            copies=copies_of_images(said, targets, prepared.task.classes),
            seed=said.seed,
        )
    )


def _pace(prepared: Prepared, out: Path) -> tuple[float, float]:
    """Give the seconds of one input, in training and in testing; timed once for each network, size and machine."""
    recipe, made = prepared.recipe, prepared.network.architecture
    gpu = recipe.train.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    where = torch.cuda.get_device_name() if gpu else f"CPU, {os.cpu_count()} cores"
    size = prepared.preprocessing.input_size
    precision = recipe.train.precision
    kind = json.dumps([where, made.backbone, made.attention, made.options, size, precision])
    place = out / "pace.json"
    known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    if kind not in known:
        model = made.build(len(prepared.task.outputs)).to(device)
        count = recipe.train.batch_size if gpu else max(2, FEW // (made.crops or 1))
        images = torch.rand(count, *([made.crops] if made.crops else []), 3, *size, device=device)
        if precision == "auto":
            attends = prepared.network.residual_attention
            precision = "fp32" if attends else choose_precision(made, size, device, steps=WORTH_COMPILING)
        known[kind] = _timed(model, images, bf16=precision == "bf16")
        write_text(place, json.dumps(known, indent=1) + "\n")
    train, test = known[kind]
    return float(train), float(test)


def _timed(model: nn.Module, images: Tensor, *, bf16: bool) -> tuple[float, float]:
    """Time forward and backward, and forward alone, for one input."""

    def train() -> None:
        model.train()(images).logits.float().sum().backward()

    def test() -> None:
        with torch.inference_mode():
            model.eval()(images)

    found = []
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        for step in (train, test):
            step()
            started = _now(images)
            for _ in range(STEPS):
                step()
            found.append((_now(images) - started) / STEPS / len(images))
    return found[0], found[1]


def _now(images: Tensor) -> float:
    """Give the time at which all that was asked of the device is done."""
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
