"""Equation 9 of Zhang et al. 2019 and its gradients, on grids as channels-last memory holds them, (b, h, w, c)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lesionlens.attention.arl import log_sum, softmax
from lesionlens.attention.branch import Branch, sum_over


class Way(NamedTuple):
    """Axes of (b, h, w, c) over which a softmax is taken, none for a sigmoid, and whether a ReLU follows the sum."""

    over: tuple[int, ...]
    rectified: bool


def forward(way: Way, gate: Tensor, x: Branch, residual: Branch) -> tuple[Tensor, ...]:
    """Give the sum, and the softmaxes' log-sums; none for sigmoids."""
    kind = torch.promote_types(x.given.dtype, residual.given.dtype)
    identity, added = x.applied(), residual.applied()
    log_sums = [log_sum(added, way.over)] if way.over else []
    summed = _sum(gate * softmax(added, way.over, *log_sums), identity, added)
    return (summed.relu() if way.rectified else summed).to(kind), *log_sums


def backward(
    way: Way, gate: Tensor, x: Branch, residual: Branch, wanted: Branch, *log_sums: Tensor
) -> tuple[Any, ...]:
    """Give the gradients of the gate, that in sums yet to be added, and of the parts of x and F(x)."""
    y, identity, added = wanted.applied(), x.applied(), residual.applied()
    mask = softmax(added, way.over, *log_sums)
    if way.rectified:  # computing the sums again costs less than reading them
        y = torch.where(_sum(gate * mask, identity, added) > 0, y, 0)
    felt = mask * y * identity
    whole = sum_over(felt, way.over)  # a sigmoid's values feel themselves alone
    inner = felt - mask * whole
    return whole.sum(3), x.back(y + gate * mask * y), residual.back(y + gate * inner)


def _sum(gated: Tensor, identity: Tensor, added: Tensor) -> Tensor:
    return added + identity + gated * identity
