"""Attention residual learning as one operation that keeps no mask, and can be compiled.

Equation 9 of Zhang et al. 2019 written plainly keeps the mask, and float32 copies under autocast, until the backward
pass. Here x, F(x) and a number for each softmax are kept, and the mask is computed anew.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.attention import arl_formulas
from lesionlens.attention.arl import attention_residual, get_normalization
from lesionlens.attention.arl_formulas import ARLSpec
from lesionlens.attention.branch import CHANNELS_LAST_PERM, DeferredNormBranch
from lesionlens.attention.compiled import Formula, map_tensors, run_compiled
from lesionlens.attention.late_norm import is_channels_last


def fused_arl(
    x: Float[Tensor, "b c h w"] | DeferredNormBranch,
    residual: Float[Tensor, "b c h w"] | DeferredNormBranch,
    alpha: Float[Tensor, ""],
    *,
    normalization: str = "spatial",
    relu: bool = False,
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) as ``attend`` does.

    Kept for the backward pass: x, F(x) and one log-sum for each softmax; of a branch whose norm is late, what that norm
    takes.

    Parameters
    ----------
    x, residual
        Identity and F(x), (b, c, h, w), or branches whose last norm is applied here (``late_norm``).
    alpha, normalization
        As for ``attend``.
    relu
        Apply the ReLU after the sum.
    compiled
        Run the compiled form (``run_compiled``) where all lies in channels-last memory, and gradients are wanted.

    Raises
    ------
    ModelError
        The normalisation does not exist.
    """
    branches = [each if isinstance(each, DeferredNormBranch) else DeferredNormBranch(each) for each in (x, residual)]
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return _reference(branches, alpha, normalization, relu)
    how = _OpConfig(normalization, relu, compiled, *(each.eps for each in branches))
    found: Tensor = _FusedARL.apply(how, alpha, *branches[0].tensors(), *branches[1].tensors())
    return found


class _OpConfig(NamedTuple):
    """What has no gradient: how to compute, and the eps of late norms of x and F(x)."""

    normalization: str
    relu: bool
    compiled: bool
    eps_x: float | None
    eps_residual: float | None

    def branches(self, tensors: Sequence[Any]) -> tuple[DeferredNormBranch, DeferredNormBranch]:
        return DeferredNormBranch.from_tensors(self.eps_x, tensors[:5]), DeferredNormBranch.from_tensors(self.eps_residual, tensors[5:])


class _FusedARL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, config: _OpConfig, alpha: Tensor, *tensors: Tensor | None) -> Tensor:
        y, *log_sums = _run_formula(arl_formulas.arl_forward, config, alpha, config.branches(tensors))
        ctx.save_for_backward(alpha, *tensors, *log_sums)
        ctx.how = config
        return _to_channels_first(y)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (alpha, *rest), how = ctx.saved_tensors, ctx.how
        parts, log_sums = rest[:10], rest[10:]
        if torch.is_grad_enabled():
            return None, *_double_backward(how, grad_outputs[0], alpha, *parts)
        grids = (*how.branches(parts), DeferredNormBranch(grad_outputs[0]))
        for_gate, for_x, for_residual = _run_formula(arl_formulas.arl_backward, how, alpha, grids, *log_sums)
        for_alpha = for_gate.sum() * get_normalization(how.normalisation).scale_factor(parts[0].shape)
        found = ((_to_channels_first(grid), *weights) for grid, *weights in (for_x, for_residual))
        return None, for_alpha.to(alpha.dtype), *(each for branch in found for each in branch)


def _reference(branches: Sequence[DeferredNormBranch], alpha: Tensor, normalization: str, relu: bool) -> Tensor:
    """Compute by operations that can be differentiated twice."""
    x, residual = (each.differentiable_output() for each in branches)
    y = attention_residual(x, residual, alpha, normalization=normalization).features
    return y.relu_() if relu else y


def _double_backward(config: _OpConfig, grad_out: Tensor, alpha: Tensor, *tensors: Tensor | None) -> list[Tensor | None]:
    """Give gradients of which gradients can be taken: torch's own, with norms rounded as layers round."""
    # views: F(x) follows from x, and what comes to x by that way is not asked for here
    gate, *seen = (None if each is None else each.view_as(each) for each in (alpha, *tensors))
    assert gate is not None
    y = _reference(config.branches(seen), gate, config.normalization, config.relu)
    asked = [each for each in (gate, *seen) if each is not None and each.requires_grad]
    found = iter(torch.autograd.grad(y, asked, grad_out, create_graph=True))
    return [next(found) if each is not None and each.requires_grad else None for each in (gate, *seen)]


def _run_formula(
    formula: Formula, config: _OpConfig, alpha: Tensor, branches: tuple[DeferredNormBranch, ...], *log_sums: Tensor
) -> tuple[Any, ...]:
    """Compute on x, F(x) and more as channels-last memory holds them, (b, h, w, c)."""
    x, residual = (each.pre_norm for each in branches[:2])
    known = get_normalization(config.normalization)
    over = tuple(sorted(CHANNELS_LAST_PERM.index(axis) for axis in known.dim))
    wide = torch.promote_types(torch.promote_types(x.dtype, residual.dtype), torch.float32)
    compiled = config.compiled and is_channels_last(x) and is_channels_last(residual)
    with torch.autocast(alpha.device.type, enabled=False):
        gate = alpha.to(wide) * known.scale_factor(x.shape)
        seen = (each._replace(pre_norm=_to_channels_last(each.pre_norm, dense=compiled)) for each in branches)
        given = map_tensors((ARLSpec(over, config.relu), gate, *seen, *log_sums), Tensor, Tensor.detach)
        return run_compiled(formula, *given) if compiled else formula(*given)


def _to_channels_last(x: Tensor, *, dense: bool) -> Tensor:
    """See a grid (b, c, h, w) as (b, h, w, c)."""
    return (x.contiguous(memory_format=torch.channels_last) if dense else x).permute(CHANNELS_LAST_PERM)


def _to_channels_first(x: Tensor) -> Tensor:
    """See a grid as (b, c, h, w) again; data: nobody's view, so that it may be rectified or added to in place."""
    return x.permute(0, 3, 1, 2).data
