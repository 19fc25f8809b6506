"""Estimates of a run's time on this machine: from a finished similar run, else by timing a few steps of its network."""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lesionlens.core.json_file import read_json, write_json
from lesionlens.models.factory import build_network
from lesionlens.models.spec import ModelSpec
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.mask_steps import MaskStep, SegmenterStep
from lesionlens.reproduction.operations import count_operations, count_segmentation_operations
from lesionlens.runs.schema import Recipe
from lesionlens.segmentation.samples import load_source_tables
from lesionlens.training.auto_values import settle_precision
from lesionlens.training.autotune import MIN_STEPS_TO_COMPILE, PROBE_BATCH_SIZE
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import RunSetup, TaskData, read_task_data, set_up_run

CPU_BATCH = 4  # crops per timed step on a CPU; a GPU is timed with the recipe's batch size
TIMED_STEPS = 2  # after an untimed first step
PROBE_STEPS = 8  # steps with one thread that choosing the precision takes, in steps with all threads
REFERENCE_SIZE = (112, 112)  # pixels, of the network whose operations are timed
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
    timed
        Whether a run or some steps of the network were timed; otherwise the time follows from its operations.
    """

    num_images: int
    seconds: float
    classes: tuple[str, ...]
    timed: bool = True


class SecondsPerInput(NamedTuple):
    """Seconds per input in training and in inference, and whether they are those of the network itself."""

    train: float
    test: float
    timed: bool = True


def estimate_runtime(
    job: Job,
    out: Path,
    *,
    similar_runs: Sequence[Job] = (),
    read: Callable[[Recipe], TaskData] = read_task_data,
    deadline: float = float("inf"),
) -> RuntimeEstimate:
    """Estimate the cost of a run.

    Parameters
    ----------
    out
        Folder of the reproduction, in which timings are saved.
    similar_runs
        Runs that differ only in seed or fold.
    read
        Reader of the run's data, as for ``set_up_run``.
    deadline
        Value of ``time.monotonic()`` from which no network is timed: its time follows from its operations.

    Raises
    ------
    LesionLensError
        The run cannot be prepared: data, masks or network do not fit its recipe.
    """
    setup = set_up_run(resolve(_without_missing_masks(job, out)), read=read)
    num_images, classes = len(setup.splits.splits["train"]), tuple(setup.task.classes)
    for similar in similar_runs:
        if similar.is_finished(out) and (seconds := float(similar.run_dir(out).metadata()["seconds"])):
            return RuntimeEstimate(num_images, OVERHEAD_SECONDS + seconds, classes)
    cost = _seconds_per_input(setup, out, deadline)
    crops = setup.preprocessing.crop_count if setup.resolved.architecture.num_crops is None else 1
    inputs = {name: len(ids) * crops for name, ids in setup.splits.splits.items() if name != "train"}
    epoch_seconds = len(setup.make_sampler()) * cost.train + inputs.get("validation", 0) * cost.test
    seconds = job.recipe.train.epochs * epoch_seconds + sum(inputs.values()) * cost.test
    return RuntimeEstimate(num_images, OVERHEAD_SECONDS + seconds, classes, cost.timed)


def _without_missing_masks(job: Job, out: Path) -> Recipe:
    """Return the recipe of a run, without its folder of masks as long as the masks are not predicted."""
    if job.requires is None or job.requires.is_finished(out):
        return job.recipe
    return job.recipe.model_copy(update={"data": job.recipe.data.model_copy(update={"mask_dir": None})})


def estimate_mask_step(step: SegmenterStep | MaskStep) -> RuntimeEstimate:
    """Estimate the cost of a step that makes masks, from the number of operations of its network.

    Raises
    ------
    LesionLensError
        The user has to specify a dataset, its masks are missing, or the network is not available.
    """
    segmenter = step if isinstance(step, SegmenterStep) else step.requires
    segmenter.check_source()
    config = segmenter.config
    operations = count_segmentation_operations(config.architecture, config.input_size)
    gpu = config.device != "cpu" and torch.cuda.is_available()
    train, test = (
        operations * seconds for seconds in _seconds_per_operation(torch.device("cuda" if gpu else "cpu"))
    )
    if isinstance(step, MaskStep):
        num_images = len(step.images())
        return RuntimeEstimate(num_images, num_images * test, (), timed=False)
    (table,) = load_source_tables([segmenter.source], max_images=config.max_images).tables
    frame = table.frame
    is_train = frame["split"] == "train"
    held_out = config.val_fraction + config.test_fraction
    num_train = int(is_train.sum()) or round(len(frame) * (1 - held_out))
    epoch_seconds = num_train * train + (len(frame) - num_train) * test
    return RuntimeEstimate(num_train, OVERHEAD_SECONDS + config.epochs * epoch_seconds, (), timed=False)


def _seconds_per_input(setup: RunSetup, out: Path, deadline: float) -> SecondsPerInput:
    """Return the seconds per input, timed once per network, size and machine, if that ends before the deadline."""
    recipe, architecture = setup.recipe, setup.resolved.architecture
    gpu = recipe.train.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    device_name = torch.cuda.get_device_name() if gpu else f"CPU, {os.cpu_count()} cores"
    size = setup.preprocessing.input_size
    names = [device_name, architecture.backbone, architecture.attention, architecture.kwargs, size]
    path, key = out / "pace.json", json.dumps([*names, recipe.train.precision])
    timings = read_json(path)
    if not _is_timing(timings.get(key)):
        batch_size = recipe.train.batch_size if gpu else max(2, CPU_BATCH // (architecture.num_crops or 1))
        if deadline < float("inf"):
            operations = count_operations(architecture, size)
            train, test = (operations * seconds for seconds in _seconds_per_operation(device))
            needed = (1 + TIMED_STEPS) * batch_size * (train + test)
            if recipe.train.precision == "auto":  # both precisions are timed first
                needed += PROBE_STEPS * PROBE_BATCH_SIZE * train
            if time.monotonic() + needed > deadline:
                return SecondsPerInput(train, test, timed=False)
        timings[key] = _time_network(setup, device, batch_size)
        write_json(path, timings)
    train, test = timings[key]
    return SecondsPerInput(float(train), float(test))


@cache
def _seconds_per_operation(device: torch.device) -> tuple[float, float]:
    """Return the seconds per operation in training and in inference, timed on a small network."""
    architecture = ModelSpec("resnet18")
    images = torch.rand(CPU_BATCH, 3, *REFERENCE_SIZE, device=device)
    train, test = _time_model(build_network(architecture, 2).to(device), images, bf16=False)
    operations = count_operations(architecture, REFERENCE_SIZE)
    return train / operations, test / operations


def _time_network(setup: RunSetup, device: torch.device, batch_size: int) -> tuple[float, float]:
    """Return the seconds per input in training and in inference in the precision of the run."""
    architecture, size = setup.resolved.architecture, setup.preprocessing.input_size
    model = build_network(architecture, len(setup.task.output_names)).to(device)
    crops = [architecture.num_crops] if architecture.num_crops else []
    images = torch.rand(batch_size, *crops, 3, *size, device=device)
    precision = setup.recipe.train.precision
    if precision == "auto":
        values = setup.resolved.auto_values._replace(device=device)
        values = settle_precision(
            values, architecture, size, num_steps=MIN_STEPS_TO_COMPILE, channels_last=False
        )
        precision = values.precision
    return _time_model(model, images, bf16=precision == "bf16")


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
