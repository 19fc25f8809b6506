"""A batch norm in training that stores nothing: whoever reads what it was given applies it on the way.

Applied by itself a norm writes a grid as large as the one it reads, and both live until the backward pass.
"""

import torch
from torch import Tensor, nn

from lesionlens.attention.branch import DeferredNormBranch, BatchNormParams

SUPPORTED_DEVICES = ("cpu", "cuda")  # on which torch takes statistics apart from the norm
FULL_PRECISION_DTYPES = (torch.float32, torch.float64)  # kinds of weights with which statistics are not rounded
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
        mean, variance = torch.batch_norm_update_stats(
            x, norm.running_mean, norm.running_var, norm.momentum
        )
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
