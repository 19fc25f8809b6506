"""Estimates of a run's time on this machine: from a finished similar run, else by timing a few steps of its network."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lesionlens.core.json_file import read_json, write_json
from lesionlens.reproduction.jobs import Job
from lesionlens.training.auto_values import settle_precision
from lesionlens.training.autotune import MIN_STEPS_TO_COMPILE
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import RunSetup, set_up_run

CPU_BATCH = 4  # crops per timed step on a CPU; a GPU is timed with the recipe's batch size
TIMED_STEPS = 2  # after an untimed first step
OVERHEAD_SECONDS = (
    4.0  # time to prepare the run, render maps and write the report, measured with a tiny network
)


@dataclass(frozen=True)
class RuntimeEstimate:
    """Expected cost of a run.

    Attributes
    ----------
    num_images
        Number of training images.
    seconds
        Time to compute all epochs, without early stopping and without reading images.
    classes
        Classes that the network scores.
    """

    num_images: int
    seconds: float
    classes: tuple[str, ...]


def estimate_runtime(job: Job, out: Path, *, similar_runs: Sequence[Job] = ()) -> RuntimeEstimate:
    """Estimate the cost of a run.

    Parameters
    ----------
    out
        Folder of the reproduction, in which timings are saved.
    similar_runs
        Runs that differ only in seed or fold.

    Raises
    ------
    LesionLensError
        The run cannot be prepared: data, masks or network do not fit its recipe.
    """
    setup = set_up_run(resolve(job.recipe))
    num_images, classes = len(setup.splits.splits["train"]), tuple(setup.task.classes)
    for similar in similar_runs:
        if similar.is_finished(out) and (seconds := float(similar.run_dir(out).metadata()["seconds"])):
            return RuntimeEstimate(num_images, OVERHEAD_SECONDS + seconds, classes)
    train_seconds, test_seconds = _seconds_per_input(setup, out)
    crops = setup.preprocessing.crop_count if setup.resolved.architecture.num_crops is None else 1
    inputs = {name: len(ids) * crops for name, ids in setup.splits.splits.items() if name != "train"}
    epoch_seconds = len(setup.make_sampler()) * train_seconds + inputs.get("validation", 0) * test_seconds
    seconds = job.recipe.train.epochs * epoch_seconds + sum(inputs.values()) * test_seconds
    return RuntimeEstimate(num_images, OVERHEAD_SECONDS + seconds, classes)


def _seconds_per_input(setup: RunSetup, out: Path) -> tuple[float, float]:
    """Return the seconds per input in training and in inference, timed once per network, size and machine."""
    recipe, architecture = setup.recipe, setup.resolved.architecture
    gpu = recipe.train.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    device_name = torch.cuda.get_device_name() if gpu else f"CPU, {os.cpu_count()} cores"
    size = setup.preprocessing.input_size
    precision = recipe.train.precision
    key = json.dumps(
        [device_name, architecture.backbone, architecture.attention, architecture.kwargs, size, precision]
    )
    path = out / "pace.json"
    timings = read_json(path)
    if not _is_timing(timings.get(key)):
        model = architecture.build(len(setup.task.output_names)).to(device)
        count = recipe.train.batch_size if gpu else max(2, CPU_BATCH // (architecture.num_crops or 1))
        crops = [architecture.num_crops] if architecture.num_crops else []
        images = torch.rand(count, *crops, 3, *size, device=device)
        if precision == "auto":
            values = setup.resolved.auto_values._replace(device=device)
            values = settle_precision(
                values, architecture, size, num_steps=MIN_STEPS_TO_COMPILE, channels_last=False
            )
            precision = values.precision
        timings[key] = _time_model(model, images, bf16=precision == "bf16")
        write_json(path, timings)
    train_seconds, test_seconds = timings[key]
    return float(train_seconds), float(test_seconds)


def _is_timing(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(seconds, float) for seconds in value)
    )


def _time_model(model: nn.Module, images: Tensor, *, bf16: bool) -> tuple[float, float]:
    """Return the seconds per input of forward and backward pass, and of the forward pass only."""

    def train() -> None:
        model.train()(images).logits.float().sum().backward()

    def test() -> None:
        with torch.inference_mode():
            model.eval()(images)

    seconds = []
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        for step in (train, test):
            step()
            started = _synchronized_time(images)
            for _ in range(TIMED_STEPS):
                step()
            seconds.append((_synchronized_time(images) - started) / TIMED_STEPS / len(images))
    return seconds[0], seconds[1]


def _synchronized_time(images: Tensor) -> float:
    """Return the time in seconds after all pending work of the device is done."""
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()
