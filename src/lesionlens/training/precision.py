"""In which precision a run computes, and whether its attention is compiled, where the recipe leaves it open."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor, nn

from lesionlens.training.pace import FEW_STEPS

Precision = Literal["fp32", "bf16"]

MARGIN = 1.2  # times: what is gained must be seen above the noise of a busy machine, and pay for rounding
ROUNDS = 3
WORTH_COMPILING = 200  # steps; compiling takes about as long as some tens of them


def choose_precision(device: torch.device, *, steps: int) -> Precision:
    """Choose bf16 where it is clearly faster: CUDA cards that have it, CPUs by a short measurement.

    Parameters
    ----------
    steps
        Of the whole run; a short one is computed in fp32 without measuring.
    """
    if steps < FEW_STEPS:
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device.type == "cpu" and gain_of_bf16() >= MARGIN else "fp32"


def choose_compile(device: torch.device, *, steps: int) -> bool:
    """Say whether compiling pays: the run is long enough, and a compiler is there."""
    if device.type == "cuda":
        there = find_spec("triton") is not None
    else:
        there = any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++"))
    return steps >= WORTH_COMPILING and there


@cache
def gain_of_bf16() -> float:
    """Measure how many times faster a convolution with its gradients is in bf16 on this CPU; a tenth of a second."""
    with torch.random.fork_rng([]), torch.enable_grad(), _one_thread():
        conv = nn.Conv2d(128, 128, 3, padding=1).to(memory_format=torch.channels_last)
        x = torch.rand(2, 128, 28, 28).to(memory_format=torch.channels_last).requires_grad_()
        pairs = [[_seconds(conv, x, bf16=bf16) for bf16 in (False, True)] for _ in range(ROUNDS)]
    return min(exact for exact, _ in pairs) / min(rough for _, rough in pairs)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Several threads wait for each other: on a busy machine that hides what is measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(conv: nn.Module, x: Tensor, *, bf16: bool) -> float:
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = conv(x)
    y.backward(torch.ones_like(y))
    return time.perf_counter() - started
