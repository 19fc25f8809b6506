"""How long a run will take here: by a twin that is finished, else by timing a few steps of its network."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lesionlens.core.fileio import write_text
from lesionlens.data.sampler import EpochSampler
from lesionlens.reproduction.jobs import Job
from lesionlens.training.autotune import MIN_STEPS_TO_COMPILE, choose_precision
from lesionlens.training.losses import repeat_factors
from lesionlens.training.setup import RunSetup, set_up_run

CPU_BATCH = 4  # crops that are timed at once on a CPU; a GPU is timed with the recipe's own batch
TIMED_STEPS = 2  # after one that is not counted
OVERHEAD_SECONDS = (
    4.0  # seconds of preparing, drawing maps and writing the report: what a run of a tiny network takes
)


@dataclass(frozen=True)
class RuntimeEstimate:
    """What a run is expected to cost.

    Attributes
    ----------
    num_images, classes
        Training images, and the classes that the network scores.
    seconds
        Of computing, if no early stop comes before; reading images is not in it.
    """

    num_images: int
    seconds: float
    classes: tuple[str, ...]


def estimate_runtime(job: Job, out: Path, *, similar_runs: Sequence[Job] = ()) -> RuntimeEstimate:
    """Expect the cost of a run.

    Parameters
    ----------
    out
        Folder of the reproduction, which keeps what was timed.
    similar_runs
        Runs that differ in seed or fold alone.

    Raises
    ------
    LesionLensError
        The run cannot be prepared: data, masks or network are not as its recipe says.
    """
    prepared = set_up_run(job.recipe)
    images, classes = len(prepared.splits.splits["train"]), tuple(prepared.task.classes)
    for twin in similar_runs:
        if twin.is_finished(out) and (seconds := float(twin.run_dir(out).metadata()["seconds"])):
            return RuntimeEstimate(images, OVERHEAD_SECONDS + seconds, classes)
    train, test = _seconds_per_input(prepared, out)
    passed = _samples_per_epoch(prepared)
    seen = prepared.preprocessing.crop_count if prepared.resolved_model.architecture.num_crops is None else 1
    held = {name: len(ids) * seen for name, ids in prepared.splits.splits.items() if name != "train"}
    each = passed * train + held.get("validation", 0) * test
    return RuntimeEstimate(
        images, OVERHEAD_SECONDS + job.recipe.train.epochs * each + sum(held.values()) * test, classes
    )


def _samples_per_epoch(setup: RunSetup) -> int:
    said, targets = setup.recipe.train, setup.targets("train")
    together = setup.resolved_model.architecture.num_crops is not None
    return len(
        EpochSampler(
            targets,
            crops_per_image=1 if together else setup.recipe.crops.train_count,
            passes_per_epoch=said.passes_per_epoch,
            sampling=said.sampling,
            repeats=repeat_factors(said, targets, setup.task.classes),
            seed=said.seed,
        )
    )


def _seconds_per_input(setup: RunSetup, out: Path) -> tuple[float, float]:
    """Give the seconds of one input, in training and in testing; timed once for each network, size and machine."""
    recipe, made = setup.recipe, setup.resolved_model.architecture
    gpu = recipe.train.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    where = torch.cuda.get_device_name() if gpu else f"CPU, {os.cpu_count()} cores"
    size = setup.preprocessing.input_size
    precision = recipe.train.precision
    kind = json.dumps([where, made.backbone, made.attention, made.kwargs, size, precision])
    place = out / "pace.json"
    known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    if kind not in known:
        model = made.build(len(setup.task.output_names)).to(device)
        count = recipe.train.batch_size if gpu else max(2, CPU_BATCH // (made.num_crops or 1))
        images = torch.rand(count, *([made.num_crops] if made.num_crops else []), 3, *size, device=device)
        if precision == "auto":
            attends = setup.resolved_model.uses_residual_attention
            precision = (
                "fp32" if attends else choose_precision(made, size, device, steps=MIN_STEPS_TO_COMPILE)
            )
        known[kind] = _time_model(model, images, bf16=precision == "bf16")
        write_text(place, json.dumps(known, indent=1) + "\n")
    train, test = known[kind]
    return float(train), float(test)


def _time_model(model: nn.Module, images: Tensor, *, bf16: bool) -> tuple[float, float]:
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
            started = _synchronized_time(images)
            for _ in range(TIMED_STEPS):
                step()
            found.append((_synchronized_time(images) - started) / TIMED_STEPS / len(images))
    return found[0], found[1]


def _synchronized_time(images: Tensor) -> float:
    """Give the time at which all that was asked of the device is done."""
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
