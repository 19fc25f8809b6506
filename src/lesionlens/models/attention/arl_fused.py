"""Attention residual learning as one operation that keeps no mask, and can be compiled.

Equation 9 of Zhang et al. 2019 written plainly keeps the mask, and float32 copies under autocast, until the backward
pass. Here x, F(x) and a number for each softmax are kept, and the mask is computed anew.
"""

import types
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.models.attention.arl import attention_residual, get_normalization, logsumexp, softmax_over
from lesionlens.models.attention.deferred_norm import (
    CHANNELS_LAST_PERM,
    DeferredNormBranch,
    is_channels_last,
    sum_dims,
)


class ARLSpec(NamedTuple):
    """Axes of (b, h, w, c) over which a softmax is taken, none for a sigmoid, and whether a ReLU follows the sum."""

    softmax_dims: tuple[int, ...]
    relu: bool


def arl_forward(
    spec: ARLSpec, scaled_alpha: Tensor, x: DeferredNormBranch, residual: DeferredNormBranch
) -> tuple[Tensor, ...]:
    """Give the sum, and the softmaxes' log-sums; none for sigmoids."""
    kind = torch.promote_types(x.pre_norm.dtype, residual.pre_norm.dtype)
    identity, added = x.output(), residual.output()
    log_sums = [logsumexp(added, spec.softmax_dims)] if spec.softmax_dims else []
    summed = _attention_sum(scaled_alpha * softmax_over(added, spec.softmax_dims, *log_sums), identity, added)
    return (summed.relu() if spec.relu else summed).to(kind), *log_sums


def arl_backward(
    spec: ARLSpec,
    scaled_alpha: Tensor,
    x: DeferredNormBranch,
    residual: DeferredNormBranch,
    grad_out: DeferredNormBranch,
    *log_sums: Tensor,
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


Formula = Callable[..., tuple[Any, ...]]
# images, height, width, channels: no two alike, none 1, so that all may be other; large enough for many threads, as a
# compiler leaves little work to one
EXAMPLE_SHAPE = (11, 29, 31, 96)


class DenseTensorSpec(NamedTuple):
    """What a compiled formula relies on of a tensor that lies densely: all but its sizes.

    Attributes
    ----------
    dtype, device
        The tensor's own.
    unit_dims
        Which sides are of size one, which is a case of its own.
    """

    dtype: torch.dtype
    device: torch.device
    unit_dims: tuple[bool, ...]

    def example(self) -> Tensor:
        """Make a tensor whose sides all differ, and may change: equal ones would be taken for the same."""
        sides = EXAMPLE_SHAPE[len(EXAMPLE_SHAPE) - len(self.unit_dims) :]
        shape = [1 if one else side for one, side in zip(self.unit_dims, sides, strict=True)]
        made = torch.zeros(shape, dtype=self.dtype, device=self.device)
        torch._dynamo.mark_dynamic(made, [axis for axis, one in enumerate(self.unit_dims) if not one])
        return made


def run_compiled(formula: Formula, *args: Any) -> tuple[Any, ...]:
    """Run a formula on tensors, numbers and named tuples of them, compiled.

    It is compiled once for all sizes (tens of seconds), again for images that come singly, for grids with a side of one
    and for another number of threads; where that fails a warning says so once, and it runs as it stands.
    """
    kinds = map_tensors(
        args, Tensor, lambda each: DenseTensorSpec(each.dtype, each.device, tuple(n == 1 for n in each.shape))
    )
    return _compile(formula, kinds, torch.get_num_threads())(*args)


def map_tensors(value: Any, leaf_type: type, fn: Callable[[Any], Any]) -> Any:
    """Replace each value of a kind in tuples of tuples, named or not."""
    if isinstance(value, leaf_type):
        return fn(value)
    if not isinstance(value, tuple):
        return value
    parts = [map_tensors(each, leaf_type, fn) for each in value]
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


@cache
def _compile(formula: Formula, specs: tuple[Any, ...], _threads: int) -> Formula:
    # of one code torch compiles eight cases and no more, silently: each case has a code of its own
    assert isinstance(formula, types.FunctionType)
    own = types.FunctionType(formula.__code__.replace(), formula.__globals__, closure=formula.__closure__)
    run: Formula = torch.compile(own)
    try:
        run(*map_tensors(specs, DenseTensorSpec, DenseTensorSpec.example))
    except Exception as error:  # whatever a compiler or its absence raises
        _warn_uncompiled((str(error).strip() or type(error).__name__).splitlines()[0])
        return formula
    return run


@cache
def _warn_uncompiled(reason: str) -> None:
    warnings.warn(
        f"attention residual learning runs uncompiled, slower but with equal results: {reason}", stacklevel=1
    )


def fused_arl(
    x: Float[Tensor, "b c h w"] | DeferredNormBranch,
    residual: Float[Tensor, "b c h w"] | DeferredNormBranch,
    alpha: Float[Tensor, ""],
    *,
    normalization: str = "spatial",
    relu: bool = False,
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) as ``attention_residual`` does.

    Kept for the backward pass: x, F(x) and one log-sum for each softmax; of a branch whose norm is late, what that norm
    takes.

    Parameters
    ----------
    x, residual
        Identity and F(x), (b, c, h, w), or branches whose last norm is applied here (``deferred_batch_norm``).
    alpha, normalization
        As for ``attention_residual``.
    relu
        Apply the ReLU after the sum.
    compiled
        Run the compiled form (``run_compiled``) where all lies in channels-last memory, and gradients are wanted.

    Raises
    ------
    ModelError
        The normalization does not exist.
    """
    branches = [
        each if isinstance(each, DeferredNormBranch) else DeferredNormBranch(each) for each in (x, residual)
    ]
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return _reference(branches, alpha, normalization, relu)
    config = _OpConfig(normalization, relu, compiled, *(each.eps for each in branches))
    found: Tensor = _FusedARL.apply(config, alpha, *branches[0].tensors(), *branches[1].tensors())
    return found


class _OpConfig(NamedTuple):
    """What has no gradient: how to compute, and the eps of late norms of x and F(x)."""

    normalization: str
    relu: bool
    compiled: bool
    eps_x: float | None
    eps_residual: float | None

    def branches(self, tensors: Sequence[Any]) -> tuple[DeferredNormBranch, DeferredNormBranch]:
        return DeferredNormBranch.from_tensors(self.eps_x, tensors[:5]), DeferredNormBranch.from_tensors(
            self.eps_residual, tensors[5:]
        )


class _FusedARL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, config: _OpConfig, alpha: Tensor, *tensors: Tensor | None) -> Tensor:
        y, *log_sums = _run_formula(arl_forward, config, alpha, config.branches(tensors))
        ctx.save_for_backward(alpha, *tensors, *log_sums)
        ctx.config = config
        return _to_channels_first(y)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (alpha, *rest), config = ctx.saved_tensors, ctx.config
        parts, log_sums = rest[:10], rest[10:]
        if torch.is_grad_enabled():
            return None, *_double_backward(config, grad_outputs[0], alpha, *parts)
        grids = (*config.branches(parts), DeferredNormBranch(grad_outputs[0]))
        for_gate, for_x, for_residual = _run_formula(arl_backward, config, alpha, grids, *log_sums)
        for_alpha = for_gate.sum() * get_normalization(config.normalization).scale_factor(parts[0].shape)
        found = ((_to_channels_first(grid), *weights) for grid, *weights in (for_x, for_residual))
        return None, for_alpha.to(alpha.dtype), *(each for branch in found for each in branch)


def _reference(
    branches: Sequence[DeferredNormBranch], alpha: Tensor, normalization: str, relu: bool
) -> Tensor:
    """Compute by operations that can be differentiated twice."""
    x, residual = (each.differentiable_output() for each in branches)
    y = attention_residual(x, residual, alpha, normalization=normalization).features
    return y.relu_() if relu else y


def _double_backward(
    config: _OpConfig, grad_out: Tensor, alpha: Tensor, *tensors: Tensor | None
) -> list[Tensor | None]:
    """Give gradients of which gradients can be taken: torch's own, with norms rounded as layers round."""
    # views: F(x) follows from x, and what comes to x by that way is not asked for here
    gate, *seen = (None if each is None else each.view_as(each) for each in (alpha, *tensors))
    assert gate is not None
    y = _reference(config.branches(seen), gate, config.normalization, config.relu)
    asked = [each for each in (gate, *seen) if each is not None and each.requires_grad]
    found = iter(torch.autograd.grad(y, asked, grad_out, create_graph=True))
    return [next(found) if each is not None and each.requires_grad else None for each in (gate, *seen)]


def _run_formula(
    formula: Formula,
    config: _OpConfig,
    alpha: Tensor,
    branches: tuple[DeferredNormBranch, ...],
    *log_sums: Tensor,
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
