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
from lesionlens.attention.arl import attend, normalisation_of
from lesionlens.attention.arl_formulas import Way
from lesionlens.attention.branch import AS_IT_LIES, Branch
from lesionlens.attention.compiled import Formula, replaced, run_compiled
from lesionlens.attention.late_norm import channels_last


def add_attention(
    x: Float[Tensor, "b c h w"] | Branch,
    residual: Float[Tensor, "b c h w"] | Branch,
    alpha: Float[Tensor, ""],
    *,
    normalisation: str = "spatial",
    rectified: bool = False,
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) as ``attend`` does.

    Kept for the backward pass: x, F(x) and one log-sum for each softmax; of a branch whose norm is late, what that norm
    takes.

    Parameters
    ----------
    x, residual
        Identity and F(x), (b, c, h, w), or branches whose last norm is applied here (``late_norm``).
    alpha, normalisation
        As for ``attend``.
    rectified
        Apply the ReLU after the sum.
    compiled
        Run the compiled form (``run_compiled``) where all lies in channels-last memory, and gradients are wanted.

    Raises
    ------
    ModelError
        The normalisation does not exist.
    """
    branches = [each if isinstance(each, Branch) else Branch(each) for each in (x, residual)]
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return _plainly(branches, alpha, normalisation, rectified)
    how = _How(normalisation, rectified, compiled, *(each.eps for each in branches))
    found: Tensor = _AddAttention.apply(how, alpha, *branches[0].parts(), *branches[1].parts())
    return found


class _How(NamedTuple):
    """What has no gradient: how to compute, and the eps of late norms of x and F(x)."""

    normalisation: str
    rectified: bool
    compiled: bool
    of_x: float | None
    of_residual: float | None

    def branches(self, parts: Sequence[Any]) -> tuple[Branch, Branch]:
        return Branch.of(self.of_x, parts[:5]), Branch.of(self.of_residual, parts[5:])


class _AddAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, how: _How, alpha: Tensor, *parts: Tensor | None) -> Tensor:
        y, *log_sums = _run(arl_formulas.forward, how, alpha, how.branches(parts))
        ctx.save_for_backward(alpha, *parts, *log_sums)
        ctx.how = how
        return _back(y)

    @staticmethod
    def backward(ctx: Any, *wanted: Tensor) -> tuple[Tensor | None, ...]:
        (alpha, *rest), how = ctx.saved_tensors, ctx.how
        parts, log_sums = rest[:10], rest[10:]
        if torch.is_grad_enabled():
            return None, *_by_torch(how, wanted[0], alpha, *parts)
        grids = (*how.branches(parts), Branch(wanted[0]))
        for_gate, for_x, for_residual = _run(arl_formulas.backward, how, alpha, grids, *log_sums)
        for_alpha = for_gate.sum() * normalisation_of(how.normalisation).scale(parts[0].shape)
        found = ((_back(grid), *weights) for grid, *weights in (for_x, for_residual))
        return None, for_alpha.to(alpha.dtype), *(each for branch in found for each in branch)


def _plainly(branches: Sequence[Branch], alpha: Tensor, normalisation: str, rectified: bool) -> Tensor:
    """Compute by operations that can be differentiated twice."""
    x, residual = (each.grid() for each in branches)
    y = attend(x, residual, alpha, normalisation=normalisation).features
    return y.relu_() if rectified else y


def _by_torch(how: _How, wanted: Tensor, alpha: Tensor, *parts: Tensor | None) -> list[Tensor | None]:
    """Give gradients of which gradients can be taken: torch's own, with norms rounded as layers round."""
    # views: F(x) follows from x, and what comes to x by that way is not asked for here
    gate, *seen = (None if each is None else each.view_as(each) for each in (alpha, *parts))
    assert gate is not None
    y = _plainly(how.branches(seen), gate, how.normalisation, how.rectified)
    asked = [each for each in (gate, *seen) if each is not None and each.requires_grad]
    found = iter(torch.autograd.grad(y, asked, wanted, create_graph=True))
    return [next(found) if each is not None and each.requires_grad else None for each in (gate, *seen)]


def _run(
    formula: Formula, how: _How, alpha: Tensor, grids: tuple[Branch, ...], *log_sums: Tensor
) -> tuple[Any, ...]:
    """Compute on x, F(x) and more as channels-last memory holds them, (b, h, w, c)."""
    x, residual = (each.given for each in grids[:2])
    known = normalisation_of(how.normalisation)
    over = tuple(sorted(AS_IT_LIES.index(axis) for axis in known.over))
    wide = torch.promote_types(torch.promote_types(x.dtype, residual.dtype), torch.float32)
    compiled = how.compiled and channels_last(x) and channels_last(residual)
    with torch.autocast(alpha.device.type, enabled=False):
        gate = alpha.to(wide) * known.scale(x.shape)
        seen = (each._replace(given=_seen(each.given, dense=compiled)) for each in grids)
        given = replaced((Way(over, how.rectified), gate, *seen, *log_sums), Tensor, Tensor.detach)
        return run_compiled(formula, *given) if compiled else formula(*given)


def _seen(grid: Tensor, *, dense: bool) -> Tensor:
    """See a grid (b, c, h, w) as (b, h, w, c)."""
    return (grid.contiguous(memory_format=torch.channels_last) if dense else grid).permute(AS_IT_LIES)


def _back(grid: Tensor) -> Tensor:
    """See a grid as (b, c, h, w) again; data: nobody's view, so that it may be rectified or added to in place."""
    return grid.permute(0, 3, 1, 2).data
