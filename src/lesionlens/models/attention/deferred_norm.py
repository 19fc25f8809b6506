"""Optional: batch norm that stores no output; the operation that reads it applies it on the way.

A batch norm in training writes a feature map as large as its input, and autograd keeps both until the backward pass.
Here the batch statistics are computed, but the normalization is left to ``arl_fused.fused_arl``, whose backward pass
also returns the gradients of the norm's weights. Used only in blocks whose ``compiled`` flag is set
(``arl_resnet.compile_attention``); results without it are equal within rounding.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS_LAST_PERM = (0, 2, 3, 1)  # axes of (b, c, h, w) in the order of channels-last memory
BATCH_SPATIAL_DIMS = (0, 1, 2)  # axes b, h and w of (b, h, w, c)
SUPPORTED_DEVICES = ("cpu", "cuda")  # devices on which torch computes batch statistics separately
FULL_PRECISION_DTYPES = (torch.float32, torch.float64)  # dtypes of weights whose statistics are not rounded
HOOK_ATTRS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)  # of nn.Module


class BatchNormParams(NamedTuple):
    """Weights of a batch norm and statistics of the batch.

    Attributes
    ----------
    weight, bias
        Learnable scale and offset, (c,).
    mean, inv_std
        Mean and reciprocal standard deviation of the batch, (c,), float32 or float64.
    eps
        Constant added to the variance.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    inv_std: Tensor
    eps: float

    def scale(self) -> Tensor:
        """Return the factor applied to each channel, weight / standard deviation, (c,), float32 or float64."""
        return self.weight * self.inv_std


class DeferredNormBranch(NamedTuple):
    """Branch of a residual block whose final batch norm has not been applied yet.

    Attributes
    ----------
    pre_norm
        Input of the norm, or the output of the branch if there is no norm to apply.
    norm
        Norm to apply; None if ``pre_norm`` is the output already.
    """

    pre_norm: Tensor
    norm: BatchNormParams | None = None

    @property
    def eps(self) -> float | None:
        """Constant added to the norm's variance; None without a norm."""
        return None if self.norm is None else self.norm.eps

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Return all five tensors: ``pre_norm``, then the norm's (None without a norm)."""
        return self.pre_norm, *((None,) * 4 if self.norm is None else self.norm[:4])

    @classmethod
    def from_tensors(cls, eps: float | None, tensors: Sequence[Any]) -> "DeferredNormBranch":
        """Build a branch from what ``eps`` and ``tensors`` returned."""
        pre_norm, weight, bias, mean, inv_std = tensors
        return cls(pre_norm, None if eps is None else BatchNormParams(weight, bias, mean, inv_std, eps))

    def differentiable_output(self) -> Tensor:
        """Return the normalized branch, (b, c, h, w), by operations that can be differentiated twice."""
        if self.norm is None:
            return self.pre_norm
        return F.batch_norm(
            self.pre_norm, None, None, self.norm.weight, self.norm.bias, training=True, eps=self.norm.eps
        )

    def output(self) -> Tensor:
        """Return the normalized branch in float32 or float64, for ``pre_norm`` of shape (b, h, w, c)."""
        wide = promote_to_float32(self.pre_norm)
        if self.norm is None:
            return wide
        scale = self.norm.scale()
        return wide * scale + (self.norm.bias - self.norm.mean * scale)

    def backward(self, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the five ``tensors`` for a gradient (b, h, w, c) of the output.

        The batch statistics follow from ``pre_norm``, so their gradients are None.
        """
        if self.norm is None:
            return grad_out.to(self.pre_norm.dtype), *(None,) * 4
        standardized = (promote_to_float32(self.pre_norm) - self.norm.mean) * self.norm.inv_std
        grad_weight = sum_dims(grad_out * standardized, BATCH_SPATIAL_DIMS)
        grad_bias = sum_dims(grad_out, BATCH_SPATIAL_DIMS)
        centered = grad_out - (grad_bias + standardized * grad_weight) / _num_positions(grad_out)
        grad_input = self.norm.scale() * centered
        return (
            grad_input.to(self.pre_norm.dtype),
            grad_weight.flatten().to(self.norm.weight.dtype),
            grad_bias.flatten().to(self.norm.bias.dtype),
            None,
            None,
        )


def deferred_batch_norm(norm: nn.Module, x: Tensor) -> DeferredNormBranch:
    """Defer the last layer of a branch if possible, and apply it at once otherwise.

    A layer can be deferred if it is a batch norm in training and its input (b, c, h, w) is in channels-last memory.
    Its running statistics are updated as usual.
    """
    if not isinstance(norm, nn.BatchNorm2d) or not _can_defer(norm, x):
        return apply_now(norm, x)
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        mean, variance = torch.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
        inv_std = (variance + norm.eps).rsqrt()
    return DeferredNormBranch(x, BatchNormParams(norm.weight, norm.bias, mean, inv_std, norm.eps))


def apply_now(norm: nn.Module, x: Tensor) -> DeferredNormBranch:
    """Apply the last layer of a branch."""
    return DeferredNormBranch(norm(x))


def _can_defer(norm: nn.BatchNorm2d, x: Tensor) -> bool:
    standard_layer = type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats
    return (
        standard_layer
        and norm.training
        and norm.momentum is not None
        and norm.weight.dtype in FULL_PRECISION_DTYPES
        and not has_hooks(norm)
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.device.type in SUPPORTED_DEVICES
        and is_channels_last(x)
        and x.shape[1] == norm.num_features  # otherwise the layer raises its own error
        and x[:, 0].numel() > 1
    )


def has_hooks(layer: nn.Module) -> bool:
    """Return whether a layer has hooks, so that it must be called."""
    return any(getattr(layer, name) for name in HOOK_ATTRS)


def is_channels_last(x: Tensor) -> bool:
    """Return whether a feature map (b, c, h, w) is in channels-last memory."""
    return x.is_contiguous(memory_format=torch.channels_last)


def promote_to_float32(x: Tensor) -> Tensor:
    """Convert a tensor to float32; float64 stays float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sum_dims(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Sum over several axes, which remain with size 1, one at a time in memory order: the last one first."""
    for axis in reversed(dims):
        x = x.sum(axis, keepdim=True)
    return x


def _num_positions(x: Tensor) -> int:
    """Return b * h * w of a feature map (b, h, w, c)."""
    return x.shape[0] * x.shape[1] * x.shape[2]
