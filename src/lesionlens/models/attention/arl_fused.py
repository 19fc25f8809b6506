"""Optional: attention residual learning as one operation that stores no mask, and can be compiled.

``arl.attention_residual`` is the equation to read. This file computes the same equation for training, so a change of
the equation must be made in both files; a test fails if they differ. Under autograd, the equation as written stores the
mask, and float32 copies under autocast, until the backward pass. Here only x, F(x) and one log-sum for each softmax are
stored, and the backward pass computes the mask again.

When it is used: the blocks of ``arl_resnet`` call ``fused_block`` whenever no attention map is requested; after
``arl_resnet.compile_attention`` they also run compiled, with deferred batch norms (``deferred_norm``).
To remove it: let ``ARLBlockMixin.forward`` return ``self.forward_with_mask(x).features`` and delete this file and
``deferred_norm``. That changes speed and memory only; results stay equal within rounding, as the tests check.
"""

import types
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.models.attention.arl import attention_residual, get_normalization, logsumexp, softmax_over
from lesionlens.models.attention.deferred_norm import (
    CHANNELS_LAST_PERM,
    DeferredNormBranch,
    deferred_batch_norm,
    has_hooks,
    is_channels_last,
    sum_dims,
)

Formula = Callable[..., tuple[Any, ...]]


def fused_block(block: Any, x: Tensor) -> Tensor:
    """Run an ``ARLBlockMixin`` block: its branches, equation 9 and its activation.

    If ``block.compiled`` is set, the last norms of both branches and a final ReLU are part of the compiled operation.
    """
    identity, residual = deferred_branches(block, x) if block.compiled else block.identity_and_residual(x)
    activation = block.activation()
    relu = block.compiled and type(activation) is nn.ReLU and not has_hooks(activation)
    y = fused_arl(
        identity, residual, block.alpha, normalization=block.normalization, relu=relu, compiled=block.compiled
    )
    return y if relu else cast(Tensor, activation(y))


def deferred_branches(block: Any, x: Tensor) -> tuple[DeferredNormBranch, DeferredNormBranch]:
    """Return identity and residual F(x) of a block, their last norms deferred where possible."""
    if block.se is None and block.drop_path is None:
        residual = deferred_batch_norm(block.last_norm(), block.layers_before_last_norm(x))
    else:
        residual = DeferredNormBranch(block.residual(x))
    shortcut = block.downsample
    if type(shortcut) is nn.Sequential and not has_hooks(shortcut):
        return deferred_batch_norm(shortcut[-1], shortcut[:-1](x)), residual
    return DeferredNormBranch(block.identity(x)), residual


def fused_arl(
    x: Float[Tensor, "b c h w"] | DeferredNormBranch,
    residual: Float[Tensor, "b c h w"] | DeferredNormBranch,
    alpha: Float[Tensor, ""],
    *,
    normalization: str = "spatial",
    relu: bool = False,
    compiled: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) as ``attention_residual`` does, without storing the mask.

    Stored for the backward pass: x, F(x) and one log-sum for each softmax; for a branch with a deferred norm, the
    input of that norm instead of its output.

    Parameters
    ----------
    x, residual
        Identity and F(x), (b, c, h, w), or branches whose last norm is applied here (``deferred_batch_norm``).
    alpha, normalization
        As for ``attention_residual``.
    relu
        Whether a ReLU is applied to the sum.
    compiled
        Whether to run the compiled form (``run_compiled``) if all tensors are in channels-last memory and gradients
        are enabled.

    Raises
    ------
    ModelError
        The normalization does not exist.
    """
    branches = [
        branch if isinstance(branch, DeferredNormBranch) else DeferredNormBranch(branch)
        for branch in (x, residual)
    ]
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return _reference(branches, alpha, normalization, relu)
    config = _OpConfig(normalization, relu, compiled, *(branch.eps for branch in branches))
    y: Tensor = _FusedARL.apply(config, alpha, *branches[0].tensors(), *branches[1].tensors())
    return y


class _OpConfig(NamedTuple):
    """Arguments of the operation that have no gradient; ``eps_*`` are those of deferred norms."""

    normalization: str
    relu: bool
    compiled: bool
    eps_x: float | None
    eps_residual: float | None

    def branches(self, tensors: Sequence[Any]) -> tuple[DeferredNormBranch, DeferredNormBranch]:
        return (
            DeferredNormBranch.from_tensors(self.eps_x, tensors[:5]),
            DeferredNormBranch.from_tensors(self.eps_residual, tensors[5:]),
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
        (alpha, *saved), config = ctx.saved_tensors, ctx.config
        tensors, log_sums = saved[:10], saved[10:]
        if torch.is_grad_enabled():
            return None, *_double_backward(config, grad_outputs[0], alpha, *tensors)
        inputs = (*config.branches(tensors), DeferredNormBranch(grad_outputs[0]))
        alpha_terms, grad_x, grad_residual = _run_formula(arl_backward, config, alpha, inputs, *log_sums)
        scale = get_normalization(config.normalization).scale_factor(tensors[0].shape)
        grad_alpha = (alpha_terms.sum() * scale).to(alpha.dtype)
        grads = [(_to_channels_first(grad), *weights) for grad, *weights in (grad_x, grad_residual)]
        return None, grad_alpha, *grads[0], *grads[1]


def _reference(
    branches: Sequence[DeferredNormBranch], alpha: Tensor, normalization: str, relu: bool
) -> Tensor:
    """Compute the operation with ``attention_residual``, which can be differentiated twice."""
    x, residual = (branch.differentiable_output() for branch in branches)
    y = attention_residual(x, residual, alpha, normalization=normalization).features
    return y.relu_() if relu else y


def _double_backward(
    config: _OpConfig, grad_out: Tensor, alpha: Tensor, *tensors: Tensor | None
) -> list[Tensor | None]:
    """Return gradients that can be differentiated again, by autograd through ``attention_residual``."""
    # views, because F(x) depends on x: only the direct gradient of x belongs here
    inputs = [None if tensor is None else tensor.view_as(tensor) for tensor in (alpha, *tensors)]
    assert inputs[0] is not None
    y = _reference(config.branches(inputs[1:]), inputs[0], config.normalization, config.relu)
    differentiable = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    grads = iter(torch.autograd.grad(y, differentiable, grad_out, create_graph=True))
    return [next(grads) if tensor is not None and tensor.requires_grad else None for tensor in inputs]


def _run_formula(
    formula: Formula,
    config: _OpConfig,
    alpha: Tensor,
    branches: tuple[DeferredNormBranch, ...],
    *log_sums: Tensor,
) -> tuple[Any, ...]:
    """Run a formula on tensors in the order of channels-last memory, (b, h, w, c)."""
    x, residual = (branch.pre_norm for branch in branches[:2])
    normalization = get_normalization(config.normalization)
    softmax_dims = tuple(sorted(CHANNELS_LAST_PERM.index(axis) for axis in normalization.dim))
    wide = torch.promote_types(torch.promote_types(x.dtype, residual.dtype), torch.float32)
    compiled = config.compiled and is_channels_last(x) and is_channels_last(residual)
    with torch.autocast(alpha.device.type, enabled=False):
        scaled_alpha = alpha.to(wide) * normalization.scale_factor(x.shape)
        permuted = [
            branch._replace(pre_norm=_to_channels_last(branch.pre_norm, dense=compiled))
            for branch in branches
        ]
        spec = ARLSpec(softmax_dims, config.relu)
        args = map_tensors((spec, scaled_alpha, *permuted, *log_sums), Tensor, Tensor.detach)
        return run_compiled(formula, *args) if compiled else formula(*args)


def _to_channels_last(x: Tensor, *, dense: bool) -> Tensor:
    """View a feature map (b, c, h, w) as (b, h, w, c), contiguous if ``dense``."""
    return (x.contiguous(memory_format=torch.channels_last) if dense else x).permute(CHANNELS_LAST_PERM)


def _to_channels_first(x: Tensor) -> Tensor:
    """View a feature map (b, h, w, c) as (b, c, h, w); ``data`` so that later layers may change it in place."""
    return x.permute(0, 3, 1, 2).data


class ARLSpec(NamedTuple):
    """Constants of the formulas.

    Attributes
    ----------
    softmax_dims
        Axes of (b, h, w, c) over which the softmax is taken; empty for a sigmoid.
    relu
        Whether a ReLU is applied to the sum.
    """

    softmax_dims: tuple[int, ...]
    relu: bool


def arl_forward(
    spec: ARLSpec, scaled_alpha: Tensor, x: DeferredNormBranch, residual: DeferredNormBranch
) -> tuple[Tensor, ...]:
    """Compute equation 9 on (b, h, w, c); return the sum and the log-sums of the softmax (none for a sigmoid)."""
    dtype = torch.promote_types(x.pre_norm.dtype, residual.pre_norm.dtype)
    identity, added = x.output(), residual.output()
    log_sums = [logsumexp(added, spec.softmax_dims)] if spec.softmax_dims else []
    y = _attention_sum(scaled_alpha * softmax_over(added, spec.softmax_dims, *log_sums), identity, added)
    return (y.relu() if spec.relu else y).to(dtype), *log_sums


def arl_backward(
    spec: ARLSpec,
    scaled_alpha: Tensor,
    x: DeferredNormBranch,
    residual: DeferredNormBranch,
    grad_out: DeferredNormBranch,
    *log_sums: Tensor,
) -> tuple[Any, ...]:
    """Compute the gradients of equation 9 on (b, h, w, c).

    Returns the gradient of ``scaled_alpha`` as terms that remain to be summed, and the gradients of the tensors of
    both branches (``DeferredNormBranch.backward``).
    """
    y, identity, added = grad_out.output(), x.output(), residual.output()
    mask = softmax_over(added, spec.softmax_dims, *log_sums)
    if spec.relu:  # computing the sum again costs less than reading it
        y = torch.where(_attention_sum(scaled_alpha * mask, identity, added) > 0, y, 0)
    grad_mask = mask * y * identity
    total = sum_dims(grad_mask, spec.softmax_dims)  # unchanged for a sigmoid, which is elementwise
    grad_added = grad_mask - mask * total
    return (
        total.sum(3),
        x.backward(y + scaled_alpha * mask * y),
        residual.backward(y + scaled_alpha * grad_added),
    )


def _attention_sum(scaled_mask: Tensor, identity: Tensor, added: Tensor) -> Tensor:
    return added + identity + scaled_mask * identity


# Batch, height, width and channels of the tensors for which a formula is compiled: all different and none 1, so that
# the result is valid for all sizes; large enough for many threads, because a compiler uses only one for small tensors.
EXAMPLE_SHAPE = (11, 29, 31, 96)


class DenseTensorSpec(NamedTuple):
    """Properties of a dense tensor that a compiled formula depends on: all but its sizes.

    Attributes
    ----------
    dtype, device
        Type and device of the tensor.
    unit_dims
        Which axes have size one; such shapes are compiled separately.
    """

    dtype: torch.dtype
    device: torch.device
    unit_dims: tuple[bool, ...]

    def example(self) -> Tensor:
        """Return a tensor of dynamic sizes that all differ, because equal ones would be compiled as the same."""
        sizes = EXAMPLE_SHAPE[len(EXAMPLE_SHAPE) - len(self.unit_dims) :]
        shape = [1 if unit else size for unit, size in zip(self.unit_dims, sizes, strict=True)]
        tensor = torch.zeros(shape, dtype=self.dtype, device=self.device)
        torch._dynamo.mark_dynamic(tensor, [axis for axis, unit in enumerate(self.unit_dims) if not unit])
        return tensor


def run_compiled(formula: Formula, *args: Any) -> tuple[Any, ...]:
    """Run a formula on tensors, numbers and named tuples of them, compiled.

    A formula is compiled once for all sizes (tens of seconds), and again for a batch or a feature map with a side of
    one and for another number of threads. If compilation fails, one warning reports it and the formula runs uncompiled.
    """
    specs = map_tensors(
        args,
        Tensor,
        lambda tensor: DenseTensorSpec(tensor.dtype, tensor.device, tuple(n == 1 for n in tensor.shape)),
    )
    return _compile(formula, specs, torch.get_num_threads())(*args)


def map_tensors(value: Any, leaf_type: type, fn: Callable[[Any], Any]) -> Any:
    """Apply a function to all leaves of that type in nested tuples and named tuples."""
    if isinstance(value, leaf_type):
        return fn(value)
    if not isinstance(value, tuple):
        return value
    items = [map_tensors(item, leaf_type, fn) for item in value]
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


@cache
def _compile(formula: Formula, specs: tuple[Any, ...], _threads: int) -> Formula:
    # torch compiles at most eight cases of one code object, without a warning: each case gets its own code object
    assert isinstance(formula, types.FunctionType)
    copy = types.FunctionType(formula.__code__.replace(), formula.__globals__, closure=formula.__closure__)
    compiled: Formula = torch.compile(copy)
    try:
        compiled(*map_tensors(specs, DenseTensorSpec, DenseTensorSpec.example))
    except Exception as error:  # of compilers; an error of the formula itself is raised again when it runs
        _warn_uncompiled((str(error).strip() or type(error).__name__).splitlines()[0])
        return formula
    return compiled


@cache
def _warn_uncompiled(reason: str) -> None:
    warnings.warn(
        f"attention residual learning runs uncompiled, slower but with equal results: {reason}", stacklevel=1
    )
