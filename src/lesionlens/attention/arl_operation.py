"""Attention residual learning as one operation that keeps no mask, and can be compiled.

Equation 9 of Zhang et al. 2019 written plainly keeps the mask, and float32 copies under autocast, until the backward
pass. Here x, F(x) and a number for each softmax are kept, and the mask is computed anew.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.attention.arl import attend, log_sum, normalisation_of, softmax

Axes = tuple[int, ...]
Formula = Callable[..., tuple[Tensor, ...]]
EXAMPLE = (3, 5, 7, 48)  # images, height, width, channels: no two alike, none 1; all may be other
AS_IT_LIES = (0, 2, 3, 1)  # axes of (b, c, h, w) in the order in which channels-last memory holds them


def add_attention(
    x: Float[Tensor, "b c h w"],
    residual: Float[Tensor, "b c h w"],
    alpha: Float[Tensor, ""],
    *,
    normalisation: str = "spatial",
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) as ``attend`` does.

    Kept for the backward pass: x, F(x) and one log-sum for each softmax.

    Parameters
    ----------
    x, residual, alpha, normalisation
        As for ``attend``.
    compiled
        Run the compiled form where all lies in channels-last memory, and gradients are wanted. It is compiled once for
        all sizes (tens of seconds), again for images that come singly and for grids with a side of one; where it cannot
        be compiled a warning says so once, and the result is the same without.

    Raises
    ------
    ModelError
        The normalisation does not exist.
    """
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return attend(x, residual, alpha, normalisation=normalisation).features
    found: Tensor = _AddAttention.apply(x, residual, alpha, normalisation, compiled)
    return found


class _AddAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, residual: Tensor, alpha: Tensor, normalisation: str, compiled: bool
    ) -> Tensor:
        y, *log_sums = _run(_forward, (x, residual), alpha, normalisation, compiled=compiled)
        ctx.save_for_backward(x, residual, alpha, *log_sums)
        ctx.normalisation, ctx.compiled = normalisation, compiled
        return y

    @staticmethod
    def backward(ctx: Any, *wanted: Tensor) -> tuple[Tensor | None, ...]:
        x, residual, alpha, *log_sums = ctx.saved_tensors
        compiled = ctx.compiled
        if torch.is_grad_enabled():  # gradients of gradients are torch's own, through the log-sums too
            compiled, log_sums = False, []
        grids = (x, residual, wanted[0], *log_sums)
        for_x, for_residual, for_gate = _run(_backward, grids, alpha, ctx.normalisation, compiled=compiled)
        for_alpha = for_gate.sum() * normalisation_of(ctx.normalisation).scale(x.shape)
        return for_x, for_residual, for_alpha.to(alpha.dtype), None, None


def _forward(gate: Tensor, over: Axes, x: Tensor, residual: Tensor) -> tuple[Tensor, ...]:
    """Give the sum, and the softmaxes' log-sums; none for sigmoids."""
    kind = torch.promote_types(x.dtype, residual.dtype)
    wide = torch.promote_types(kind, torch.float32)
    identity, added = x.to(wide), residual.to(wide)
    log_sums = [log_sum(added, over)] if over else []
    return (added + identity + gate * softmax(added, over, *log_sums) * identity).to(kind), *log_sums


def _backward(
    gate: Tensor, over: Axes, x: Tensor, residual: Tensor, wanted: Tensor, *log_sums: Tensor
) -> tuple[Tensor, ...]:
    """Give the gradients of x and F(x), and of the gate, that not yet summed over all images."""
    wide = torch.promote_types(torch.promote_types(x.dtype, residual.dtype), torch.float32)
    y, mask = wanted.to(wide), softmax(residual.to(wide), over, *log_sums)
    whole = felt = mask * y * x.to(wide)  # a sigmoid's values feel themselves alone
    for axis in reversed(over):
        whole = whole.sum(axis, keepdim=True)
    inner = felt - mask * whole
    return (y + gate * mask * y).to(x.dtype), (y + gate * inner).to(residual.dtype), whole.sum(1)


def _run(
    formula: Formula, grids: tuple[Tensor, ...], alpha: Tensor, normalisation: str, *, compiled: bool
) -> tuple[Tensor, ...]:
    """Compute on x, F(x) and more, (b, c, h, w), or compiled on the same memory seen as it lies, (b, h, w, c)."""
    known = normalisation_of(normalisation)
    wide = torch.promote_types(torch.promote_types(grids[0].dtype, grids[1].dtype), torch.float32)
    layout = torch.channels_last
    with torch.autocast(alpha.device.type, enabled=False):
        gate = alpha.to(wide) * known.scale(grids[0].shape)
        if not compiled or not all(each.is_contiguous(memory_format=layout) for each in grids[:2]):
            return formula(gate, known.over, *grids)
        over = tuple(AS_IT_LIES.index(axis) for axis in known.over)
        given = [each.detach().contiguous(memory_format=layout).permute(AS_IT_LIES) for each in grids]
        run = _compiled(formula, over, tuple(each.dtype for each in (gate, *given)), gate.device)
        found = run(gate.detach(), over, *given)
    # data: nobody's view, so that it may be rectified, or another gradient added to it, in place
    return tuple(each.permute(0, 3, 1, 2).data if each.ndim == 4 else each for each in found)


@cache
def _compiled(formula: Formula, over: Axes, kinds: tuple[torch.dtype, ...], device: torch.device) -> Formula:
    """Compile for all sizes at once, on grids whose sides all differ: equal ones would be taken for the same."""
    run: Formula = torch.compile(formula)
    gate, *grids = (torch.zeros(EXAMPLE, dtype=kind, device=device) for kind in kinds)
    log_sums = [each.sum(over, keepdim=True) for each in grids[3:]]
    for grid in grids[:3]:
        torch._dynamo.mark_dynamic(grid, [0, 1, 2, 3])
    for each in log_sums:
        torch._dynamo.mark_dynamic(each, [axis for axis in range(4) if axis not in over])
    try:
        run(gate.sum(), over, *grids[:3], *log_sums)
    except Exception as error:  # whatever a compiler or its absence raises
        _say(str(error).strip().splitlines()[0])
        return formula
    return run


@cache
def _say(reason: str) -> None:
    warnings.warn(
        f"attention residual learning runs uncompiled, slower but with equal results: {reason}", stacklevel=1
    )
