"""Attention residual learning as one operation that keeps no mask, and can be compiled.

Equation 9 of Zhang et al. 2019 written plainly keeps the mask, and float32 copies under autocast, until the backward
pass. Here x and F(x) alone are kept, and the softmax is computed anew.
"""

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.attention.arl import attend, normalisation_of, softmax

LANE = 32  # channels that compiled loops take at once: a whole cache line of bf16; a fixed size, so that they are tight


Axes = tuple[int, ...]
Formula = Callable[..., tuple[Tensor, ...]]
IN_LANES: dict[Axes, Axes] = {
    (2, 3): (1,),
    (1,): (2, 3),
    (): (),
}  # axes of (b, c, h, w) in (b, h w, c / lane, lane)


def add_attention(
    x: Float[Tensor, "b c h w"],
    residual: Float[Tensor, "b c h w"],
    alpha: Float[Tensor, ""],
    *,
    normalisation: str = "spatial",
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9), the same as ``attend``, and keep x and F(x) alone.

    Parameters
    ----------
    x, residual, alpha, normalisation
        As for ``attend``.
    compiled
        Run the compiled form where all lies in channels-last memory, and gradients are wanted. It is compiled once for
        all sizes (tens of seconds), again for images that come singly; where it cannot be compiled a warning says so
        once, and the result is the same without.

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
        ctx.save_for_backward(x, residual, alpha)
        ctx.normalisation, ctx.compiled = normalisation, compiled
        # data: what a Function gives back may be rectified in place afterwards only if it is nobody's view
        return _run(_forward, (x, residual), alpha, normalisation, compiled=compiled)[0].data

    @staticmethod
    def backward(ctx: Any, *wanted: Tensor) -> tuple[Tensor | None, ...]:
        x, residual, alpha = ctx.saved_tensors
        compiled = ctx.compiled and not torch.is_grad_enabled()  # gradients of gradients are torch's own
        grids = (wanted[0], x, residual)
        for_x, for_residual, for_gate = _run(_backward, grids, alpha, ctx.normalisation, compiled=compiled)
        for_alpha = for_gate.sum() * normalisation_of(ctx.normalisation).scale(x.shape)
        return for_x, for_residual, for_alpha.to(alpha.dtype), None, None


def _forward(x: Tensor, residual: Tensor, gate: Tensor, over: Axes) -> tuple[Tensor, ...]:
    kind = torch.promote_types(x.dtype, residual.dtype)
    wide = torch.promote_types(kind, torch.float32)
    identity, added = x.to(wide), residual.to(wide)
    return ((added + identity + gate * softmax(added, over) * identity).to(kind),)


def _backward(wanted: Tensor, x: Tensor, residual: Tensor, gate: Tensor, over: Axes) -> tuple[Tensor, ...]:
    """Give the gradients of x and F(x), and of the gate, that not yet summed over all images."""
    wide = torch.promote_types(torch.promote_types(x.dtype, residual.dtype), torch.float32)
    y, mask = wanted.to(wide), softmax(residual.to(wide), over)
    felt = mask * y * x.to(wide)
    whole = felt.sum(over, keepdim=True) if over else felt  # a sigmoid's values feel themselves alone
    inner = felt - mask * whole
    return (y + gate * mask * y).to(x.dtype), (y + gate * inner).to(residual.dtype), whole.sum(1)


def _run(
    formula: Formula, grids: tuple[Tensor, ...], alpha: Tensor, normalisation: str, *, compiled: bool
) -> tuple[Tensor, ...]:
    """Compute on (b, c, h, w) as they lie, or compiled on the same memory seen as (b, h w, c / lane, lane)."""
    known = normalisation_of(normalisation)
    wide = torch.promote_types(torch.promote_types(grids[-1].dtype, grids[-2].dtype), torch.float32)
    layout = torch.channels_last
    with torch.autocast(alpha.device.type, enabled=False):
        gate = alpha.to(wide) * known.scale(grids[-1].shape)
        if not compiled or not all(each.is_contiguous(memory_format=layout) for each in grids[-2:]):
            return formula(*grids, gate, known.over)
        over = IN_LANES[known.over]
        lanes = [_in_lanes(each.detach().contiguous(memory_format=layout)) for each in grids]
        given = (*lanes, gate.detach())
        found = _compiled(formula, over, tuple(each.dtype for each in given), gate.device)(*given, over)
    return tuple(_in_grid(each, grids[-1].shape) for each in found)


def _in_lanes(grid: Tensor) -> Tensor:
    b, c, h, w = grid.shape
    lane = math.gcd(c, LANE)
    return grid.permute(0, 2, 3, 1).view(b, h * w, c // lane, lane)


def _in_grid(lanes: Tensor, shape: torch.Size) -> Tensor:
    """Undo ``_in_lanes``; what is no grid stays."""
    b, c, h, w = shape
    return lanes.view(b, h, w, c).permute(0, 3, 1, 2) if lanes.numel() == shape.numel() else lanes


@cache
def _compiled(formula: Formula, over: Axes, kinds: tuple[torch.dtype, ...], device: torch.device) -> Formula:
    """Compile for all sizes at once, on grids whose sides all differ: equal ones would be taken for the same."""
    run: Formula = torch.compile(formula)
    grids = [torch.zeros(3, 5, 7, LANE, dtype=kind, device=device) for kind in kinds[:-1]]
    for grid in grids:
        torch._dynamo.mark_dynamic(grid, [0, 1, 2])
    try:
        run(*grids, torch.zeros((), dtype=kinds[-1], device=device), over)
    except Exception as error:  # whatever a compiler or its absence raises
        _say(str(error).strip().splitlines()[0])
        return formula
    return run


@cache
def _say(reason: str) -> None:
    warnings.warn(
        f"attention residual learning runs uncompiled, slower but with equal results: {reason}", stacklevel=1
    )
