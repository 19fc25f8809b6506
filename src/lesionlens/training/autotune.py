"""How many processes load batches: what measured times say; and how many threads compute: one a core."""

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
from lesionlens.models.factory import ModelSpec

MIN_LOADER_SPEEDUP = (
    0.1  # share of a step that processes must save; below that they cost more than they bring
)
MIN_STEPS_TO_TUNE = 50  # a run of fewer is over before measuring pays


class StepTimings(NamedTuple):
    """Seconds for one batch.

    Attributes
    ----------
    load
        To load it in this process, with all threads.
    load_single_thread
        To load it with one thread, as a process of its own does.
    step
        To compute a step of it.
    """

    load: float
    load_single_thread: float
    step: float


def choose_workers(timings: StepTimings, num_cpus: int, *, on_cpu: bool) -> int:
    """Choose as few processes as hide the loading behind the steps; 0 where they would save less than a tenth.

    On a CPU loading and steps share the cores: processes hide nothing there, they only spare this process' lock.

    Examples
    --------
    A cheap loader on two cores, then the same before a fast card, then one that eight cores cannot hide:

    >>> choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=0.5), 2, on_cpu=True)
    0
    >>> choose_workers(StepTimings(load=0.012, load_single_thread=0.02, step=0.009), 8, on_cpu=False)
    3
    >>> choose_workers(StepTimings(load=0.4, load_single_thread=2.0, step=0.009), 8, on_cpu=False)
    8
    """
    shared = timings.load_single_thread / num_cpus if on_cpu else 0.0
    seconds = {
        count: max(timings.step + shared, timings.load_single_thread / count)
        for count in range(1, num_cpus + 1)
    }
    best = min(seconds.values())
    if timings.step + timings.load <= (1 + MIN_LOADER_SPEEDUP) * best:
        return 0
    return min(count for count, needed in seconds.items() if math.isclose(needed, best, rel_tol=0.02))


TrainPrecision = Literal["fp32", "bf16"]

MIN_BF16_SPEEDUP = (
    1.2  # times: what is gained must be seen above the noise of a busy machine, and pay for rounding
)
PROBE_BATCH_SIZE = 2  # batch norm needs two
PROBE_ROUNDS, PROBE_SECONDS = 3, 2.0  # after the first round there are others until these seconds are over
MIN_STEPS_TO_COMPILE = 200  # steps; compiling takes about as long as some tens of them


def choose_precision(
    architecture: ModelSpec, size: tuple[int, int], device: torch.device, *, steps: int
) -> TrainPrecision:
    """Choose bf16 where it is clearly faster: CUDA cards that have it, CPUs by a short measurement of the network.

    Parameters
    ----------
    architecture, size
        The network, and height and width of what it sees. On a CPU one may gain and another lose: convolutions of few
        channels or of one channel each mostly lose.
    steps
        Of the whole run; a short one is computed in fp32 without measuring.
    """
    if steps < MIN_STEPS_TO_TUNE:
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device.type == "cpu" and bf16_speedup(architecture, size) >= MIN_BF16_SPEEDUP else "fp32"


def choose_compile(device: torch.device, *, steps: int) -> bool:
    """Say whether compiling pays: the run is long enough, and a compiler is there."""
    if device.type == "cuda":
        there = find_spec("triton") is not None
    else:
        there = any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++"))
    return steps >= MIN_STEPS_TO_COMPILE and there


def bf16_speedup(architecture: ModelSpec, size: tuple[int, int]) -> float:
    """Measure how many times faster the network learns in bf16 on this CPU; some seconds for a large one."""
    retain_freed_memory()
    with torch.random.fork_rng([]), torch.enable_grad(), _single_thread():
        model = architecture.build(2).train().to(memory_format=torch.channels_last)
        crops = (architecture.num_crops,) if architecture.num_crops else ()
        x = torch.rand(PROBE_BATCH_SIZE, *crops, 3, *size)
        x = x if crops else x.to(memory_format=torch.channels_last)
        _time_both_precisions(model, x)
        started = time.perf_counter()
        pairs: list[tuple[float, float]] = []
        while not pairs or (len(pairs) < PROBE_ROUNDS and time.perf_counter() - started < PROBE_SECONDS):
            pairs.append(_time_both_precisions(model, x))
    return min(exact for exact, _ in pairs) / min(rough for _, rough in pairs)


@contextmanager
def _single_thread() -> Iterator[None]:
    """Several threads wait for each other: on a busy machine that hides what is measured."""
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
