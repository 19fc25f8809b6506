"""A branch of a residual block whose last batch norm is applied by whoever reads it, and whose gradients follow.

Applied by itself a norm writes a grid as large as the one it reads, and both live until the backward pass.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# axes of (b, c, h, w) in the order in which channels-last memory holds them
CHANNELS_LAST_PERM = (0, 2, 3, 1)
BATCH_SPATIAL_DIMS = (0, 1, 2)  # of grids as they lie


class BatchNormParams(NamedTuple):
    """A batch norm's weights, and the statistics of the batch.

    Attributes
    ----------
    weight, bias
        Parameters, (c,).
    mean, inv_std
        Mean, and one through the standard deviation, (c,), float32 or wider.
    eps
        What was added to the variance.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    inv_std: Tensor
    eps: float

    def scale(self) -> Tensor:
        """Give what a value is multiplied by, (c,), float32 or wider."""
        return self.weight * self.inv_std


class DeferredNormBranch(NamedTuple):
    """A branch of a block, up to its last norm; without a norm, the whole branch."""

    pre_norm: Tensor
    norm: BatchNormParams | None = None

    @property
    def eps(self) -> float | None:
        """Give the norm's, if there is one."""
        return None if self.norm is None else self.norm.eps

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Give all tensors: what was given, then the norm's."""
        return self.pre_norm, *((None,) * 4 if self.norm is None else self.norm[:4])

    @classmethod
    def from_tensors(cls, eps: float | None, tensors: Sequence[Any]) -> "DeferredNormBranch":
        """Join those parts again."""
        given, weight, bias, mean, scale = tensors
        return cls(given, None if eps is None else BatchNormParams(weight, bias, mean, scale, eps))

    def differentiable_output(self) -> Tensor:
        """Give the branch, (b, c, h, w), by operations that can be differentiated twice."""
        if self.norm is None:
            return self.pre_norm
        return F.batch_norm(
            self.pre_norm, None, None, self.norm.weight, self.norm.bias, training=True, eps=self.norm.eps
        )

    def output(self) -> Tensor:
        """Give the branch in float32 or wider, from a grid as it lies, (b, h, w, c)."""
        wide = promote_to_float32(self.pre_norm)
        if self.norm is None:
            return wide
        slope = self.norm.scale()
        return wide * slope + (self.norm.bias - self.norm.mean * slope)

    def backward(self, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        """Take a gradient, as it lies, back to each of the parts; statistics follow from what was given."""
        if self.norm is None:
            return grad_out.to(self.pre_norm.dtype), *(None,) * 4
        standard = (promote_to_float32(self.pre_norm) - self.norm.mean) * self.norm.inv_std
        for_weight = sum_dims(grad_out * standard, BATCH_SPATIAL_DIMS)
        for_bias = sum_dims(grad_out, BATCH_SPATIAL_DIMS)
        felt = grad_out - (for_bias + standard * for_weight) / _num_positions(grad_out)
        found = self.norm.scale() * felt
        return (
            found.to(self.pre_norm.dtype),
            for_weight.flatten().to(self.norm.weight.dtype),
            for_bias.flatten().to(self.norm.bias.dtype),
            None,
            None,
        )


def promote_to_float32(x: Tensor) -> Tensor:
    """Give a grid in float32, or wider if it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sum_dims(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Sum over these axes, which keep a size of 1: one after the other, the last first, as memory lies."""
    for axis in reversed(dims):
        x = x.sum(axis, keepdim=True)
    return x


def _num_positions(x: Tensor) -> int:
    """Count images times places of a grid as it lies."""
    return x.shape[0] * x.shape[1] * x.shape[2]


SUPPORTED_DEVICES = ("cpu", "cuda")  # on which torch takes statistics apart from the norm
# kinds of weights with which statistics are not rounded
FULL_PRECISION_DTYPES = (torch.float32, torch.float64)
# of torch's modules
HOOK_ATTRS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def apply_now(norm: nn.Module, x: Tensor) -> DeferredNormBranch:
    """Apply the last layer of a branch."""
    return DeferredNormBranch(norm(x))


def deferred_batch_norm(norm: nn.Module, x: Tensor) -> DeferredNormBranch:
    """Leave the last layer of a branch, which takes (b, c, h, w), to whoever reads the branch, where that can be.

    That is a batch norm in training on a grid in channels-last memory. Its running statistics move as ever.
    """
    if not isinstance(norm, nn.BatchNorm2d) or not _can_defer(norm, x):
        return apply_now(norm, x)
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        mean, variance = torch.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
        scale = (variance + norm.eps).rsqrt()
    return DeferredNormBranch(x, BatchNormParams(norm.weight, norm.bias, mean, scale, norm.eps))


def _can_defer(norm: nn.BatchNorm2d, x: Tensor) -> bool:
    usual = type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats
    return (
        usual
        and norm.training
        and norm.momentum is not None
        and norm.weight.dtype in FULL_PRECISION_DTYPES
        and not has_hooks(norm)
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.device.type in SUPPORTED_DEVICES
        and is_channels_last(x)
        and x.shape[1] == norm.num_features  # of what is wrong the layer tells itself
        and x[:, 0].numel() > 1
    )


def has_hooks(layer: nn.Module) -> bool:
    """Say whether somebody looks at what passes a layer, which must then be called."""
    return any(getattr(layer, name) for name in HOOK_ATTRS)


def is_channels_last(x: Tensor) -> bool:
    """Say whether a grid (b, c, h, w) lies so that its channels are neighbours."""
    return x.is_contiguous(memory_format=torch.channels_last)
