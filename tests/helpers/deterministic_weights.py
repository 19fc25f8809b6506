"""Weights and inputs by formula, to compare complete networks without weight files."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

StateDict = dict[str, Tensor]


def deterministic_weights(keys: Iterable[tuple[str, list[int], int]]) -> StateDict:
    """Return a tensor for each (name, shape, number), in the order of the list."""
    return {name: torch.from_numpy(_weight(name, tuple(shape), number)) for name, shape, number in keys}


@cache  # the variants of a network have most weights in common
def _weight(name: str, shape: tuple[int, ...], number: int) -> Any:
    v = np.arange(np.prod(shape), dtype=np.float64)
    if name.endswith("running_var"):
        values = 1 + 0.1 * np.cos(0.7 * v + number)
    elif name.endswith("running_mean"):
        values = 0.05 * np.sin(0.3 * v + number)
    elif len(shape) == 1:
        values = float(name.endswith("weight")) + 0.1 * np.sin(0.9 * v + number)
    else:
        s = np.sin(12.9898 * v + 78.233 * number) * 43758.5453
        values = (s - np.floor(s) - 0.5) * np.sqrt(24 / np.prod(shape[1:]))
    return values.reshape(shape).astype(np.float32)


def smooth_images(*shape: int, phase: float) -> Tensor:
    """Return smooth patterns with values between 0 and 1."""
    v = np.arange(np.prod(shape), dtype=np.float64)
    values = 0.5 + 0.5 * np.sin(0.001 * v + phase) * np.cos(0.0371 * v)
    return torch.from_numpy(values.reshape(shape).astype(np.float32))
