"""Choose the number of loader processes, the training precision and compilation from measured times."""

import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.models.factory import build_network
from lesionlens.models.spec import ModelSpec

TrainPrecision = Literal["fp32", "bf16"]

MIN_STEPS_TO_TUNE = 50  # a shorter run ends before measuring pays off
MIN_STEPS_TO_COMPILE = 200  # compiling takes about as long as some tens of steps
MIN_LOADER_SPEEDUP = 0.1  # fraction of a step that processes must save to be worth their cost
MIN_BF16_SPEEDUP = 1.2  # ratio that exceeds the noise of a busy machine and justifies the rounding
PROBE_BATCH_SIZE = 2  # batch norm needs two images
PROBE_ROUNDS, PROBE_SECONDS = 3, 2.0  # at least one round; no further round after these seconds


class StepTimings(NamedTuple):
    """Seconds per batch.

    Attributes
    ----------
    load
        Loading in this process with all threads.
    load_single_thread
        Loading with one thread, as in a worker process.
    step
        Computing a training step.
    """

    load: float
    load_single_thread: float
    step: float


def choose_workers(timings: StepTimings, num_cpus: int, *, on_cpu: bool) -> int:
    """Return the smallest number of loader processes that hides loading behind the steps; 0 if they save under 10 %.

    If the model trains on the CPU, loading and steps compete for the cores: worker processes then hide no loading, they
    only avoid Python's global interpreter lock.

    Parameters
    ----------
    timings
        Measured times of a batch.
    num_cpus
        Number of CPU cores available, which limits the number of processes.
    on_cpu
        Whether the model trains on the CPU.

    Examples
    --------
    Fast loading on two cores, the same with a fast GPU, and loading too slow for eight cores to hide:

    >>> choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=0.5), 2, on_cpu=True)
    0
    >>> choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=0.009), 8, on_cpu=False)
    3
    >>> choose_workers(StepTimings(load=0.4, load_single_thread=2.0, step=0.009), 8, on_cpu=False)
    8
    """
    cpu_seconds = timings.load_single_thread / num_cpus if on_cpu else 0.0
    seconds = {
        count: max(timings.step + cpu_seconds, timings.load_single_thread / count)
        for count in range(1, num_cpus + 1)
    }
    best = min(seconds.values())
    if timings.step + timings.load <= (1 + MIN_LOADER_SPEEDUP) * best:
        return 0
    return min(count for count, needed in seconds.items() if math.isclose(needed, best, rel_tol=0.02))


def choose_precision(
    architecture: ModelSpec, size: tuple[int, int], device: torch.device, *, steps: int
) -> TrainPrecision:
    """Return ``bf16`` if it is clearly faster: on CUDA GPUs that support it, on CPUs if timing the model shows it.

    Parameters
    ----------
    architecture
        Model to train. On a CPU, one model gains from bf16 and another loses: convolutions with few channels and
        depthwise convolutions mostly lose.
    size
        Height and width of its input in pixels.
    device
        Device that trains it.
    steps
        Number of steps of the complete run; a run of fewer than 50 trains in fp32 and measures nothing.
    """
    if steps < MIN_STEPS_TO_TUNE:
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device.type == "cpu" and bf16_speedup(architecture, size) >= MIN_BF16_SPEEDUP else "fp32"


def choose_compile(device: torch.device, *, steps: int) -> bool:
    """Return whether compiling pays off: the run is long enough, and a compiler is installed."""
    if device.type == "cuda":
        has_compiler = find_spec("triton") is not None
    else:
        has_compiler = any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++"))
    return steps >= MIN_STEPS_TO_COMPILE and has_compiler


def bf16_speedup(architecture: ModelSpec, size: tuple[int, int]) -> float:
    """Measure how many times faster a model trains in bf16 than in fp32 on this CPU."""
    retain_freed_memory()
    with torch.random.fork_rng([]), torch.enable_grad(), _single_thread():
        model = build_network(architecture, 2).train().to(memory_format=torch.channels_last)
        crops = (architecture.num_crops,) if architecture.num_crops else ()
        x = torch.rand(PROBE_BATCH_SIZE, *crops, 3, *size)
        x = x if crops else x.to(memory_format=torch.channels_last)
        _time_both_precisions(model, x)
        started = time.perf_counter()
        pairs: list[tuple[float, float]] = []
        while not pairs or (len(pairs) < PROBE_ROUNDS and time.perf_counter() - started < PROBE_SECONDS):
            pairs.append(_time_both_precisions(model, x))
    return min(fp32 for fp32, _ in pairs) / min(bf16 for _, bf16 in pairs)


@contextmanager
def _single_thread() -> Iterator[None]:
    """Compute with one thread: threads that wait for each other on a busy machine would distort the timings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _time_both_precisions(model: nn.Module, x: Tensor) -> tuple[float, float]:
    return _time_step(model, x, bf16=False), _time_step(model, x, bf16=True)


def _time_step(model: nn.Module, x: Tensor, *, bf16: bool) -> float:
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = model(x).logits
    logits.float().sum().backward()
    return time.perf_counter() - started
