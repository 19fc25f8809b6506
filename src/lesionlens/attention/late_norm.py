"""A batch norm in training that stores nothing: whoever reads what it was given applies it on the way.

Applied by itself a norm writes a grid as large as the one it reads, and both live until the backward pass.
"""

import torch
from torch import Tensor, nn

from lesionlens.attention.branch import Branch, Norm

DEVICES = ("cpu", "cuda")  # on which torch takes statistics apart from the norm
WIDE = (torch.float32, torch.float64)  # kinds of weights with which statistics are not rounded
# of torch's modules
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def at_once(norm: nn.Module, given: Tensor) -> Branch:
    """Apply the last layer of a branch."""
    return Branch(norm(given))


def late_norm(norm: nn.Module, given: Tensor) -> Branch:
    """Leave the last layer of a branch, which takes (b, c, h, w), to whoever reads the branch, where that can be.

    That is a batch norm in training on a grid in channels-last memory. Its running statistics move as ever.
    """
    if not isinstance(norm, nn.BatchNorm2d) or not _can_wait(norm, given):
        return at_once(norm, given)
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        mean, variance = torch.batch_norm_update_stats(
            given, norm.running_mean, norm.running_var, norm.momentum
        )
        scale = (variance + norm.eps).rsqrt()
    return Branch(given, Norm(norm.weight, norm.bias, mean, scale, norm.eps))


def _can_wait(norm: nn.BatchNorm2d, given: Tensor) -> bool:
    usual = type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats
    return (
        usual
        and norm.training
        and norm.momentum is not None
        and norm.weight.dtype in WIDE
        and not is_hooked(norm)
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and given.device.type in DEVICES
        and channels_last(given)
        and given.shape[1] == norm.num_features  # of what is wrong the layer tells itself
        and given[:, 0].numel() > 1
    )


def is_hooked(layer: nn.Module) -> bool:
    """Say whether somebody looks at what passes a layer, which must then be called."""
    return any(getattr(layer, name) for name in HOOKS)


def channels_last(grid: Tensor) -> bool:
    """Say whether a grid (b, c, h, w) lies so that its channels are neighbours."""
    return grid.is_contiguous(memory_format=torch.channels_last)
