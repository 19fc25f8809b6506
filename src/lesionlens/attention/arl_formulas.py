"""Equation 9 of Zhang et al. 2019 and its gradients, on grids as channels-last memory holds them, (b, h, w, c)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lesionlens.attention.arl import logsumexp, softmax_over
from lesionlens.attention.branch import DeferredNormBranch, sum_dims


class ARLSpec(NamedTuple):
    """Axes of (b, h, w, c) over which a softmax is taken, none for a sigmoid, and whether a ReLU follows the sum."""

    softmax_dims: tuple[int, ...]
    relu: bool


def arl_forward(spec: ARLSpec, scaled_alpha: Tensor, x: DeferredNormBranch, residual: DeferredNormBranch) -> tuple[Tensor, ...]:
    """Give the sum, and the softmaxes' log-sums; none for sigmoids."""
    kind = torch.promote_types(x.pre_norm.dtype, residual.pre_norm.dtype)
    identity, added = x.output(), residual.output()
    log_sums = [logsumexp(added, spec.softmax_dims)] if spec.softmax_dims else []
    summed = _attention_sum(scaled_alpha * softmax_over(added, spec.softmax_dims, *log_sums), identity, added)
    return (summed.relu() if spec.relu else summed).to(kind), *log_sums


def arl_backward(
    spec: ARLSpec, scaled_alpha: Tensor, x: DeferredNormBranch, residual: DeferredNormBranch, grad_out: DeferredNormBranch, *log_sums: Tensor
) -> tuple[Any, ...]:
    """Give the gradients of the gate, that in sums yet to be added, and of the parts of x and F(x)."""
    y, identity, added = grad_out.output(), x.output(), residual.output()
    mask = softmax_over(added, spec.softmax_dims, *log_sums)
    if spec.relu:  # computing the sums again costs less than reading them
        y = torch.where(_attention_sum(scaled_alpha * mask, identity, added) > 0, y, 0)
    felt = mask * y * identity
    whole = sum_dims(felt, spec.softmax_dims)  # a sigmoid's values feel themselves alone
    inner = felt - mask * whole
    return whole.sum(3), x.backward(y + scaled_alpha * mask * y), residual.backward(y + scaled_alpha * inner)


def _attention_sum(gated: Tensor, identity: Tensor, added: Tensor) -> Tensor:
    return added + identity + gated * identity
