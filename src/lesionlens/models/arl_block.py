"""Residual blocks of timm that learn attention residually.

Source: Zhang et al. 2019, equation 9. The paper is silent on two points; as in its residual networks we put the ReLU
after the sum and use the projected shortcut for both identity and attention where the shape changes. The mask uses F(x)
after the last batch norm (and after squeeze-and-excitation, where the backbone has it).
"""

from typing import Any, cast

import torch
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn

from lesionlens.attention.arl import ARLOutput, attention_residual
from lesionlens.attention.arl_operation import fused_arl
from lesionlens.attention.branch import DeferredNormBranch
from lesionlens.attention.late_norm import apply_now, has_hooks, deferred_batch_norm

INITIAL_ALPHA = 0.001  # section IV.B


class ARLBlockMixin:
    """What both kinds of block share: the scale gate, and equation 9 in place of ``x + F(x)``."""

    normalization = "spatial"
    compiled = False  # how it is computed, not what: no part of the state

    def add_alpha(self) -> None:
        """Give the block its alpha."""
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        raise NotImplementedError

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """Give what that layer takes, (b, c, h, w), as the kind of block computes it."""
        raise NotImplementedError

    def branches(self, x: Tensor, *, defer_norm: bool = False) -> tuple[DeferredNormBranch, DeferredNormBranch]:
        """Give identity and residual F(x); their last norms may be left to whoever reads them."""
        block = cast(Any, self)
        after = [layer for layer in (block.se, block.drop_path) if layer is not None]
        end = deferred_batch_norm if defer_norm and not after else apply_now
        residual = end(self.last_norm(), self.layers_before_last_norm(x))
        for layer in after:
            residual = DeferredNormBranch(layer(residual.pre_norm))
        shortcut = block.downsample
        if defer_norm and type(shortcut) is nn.Sequential and not has_hooks(shortcut):
            return deferred_batch_norm(shortcut[-1], shortcut[:-1](x)), residual
        return DeferredNormBranch(x if shortcut is None else shortcut(x)), residual

    def identity_and_residual(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give identity and residual, both (b, c, h, w)."""
        identity, residual = self.branches(x)
        return identity.pre_norm, residual.pre_norm

    def forward_with_mask(self, x: Tensor) -> ARLOutput:
        """Give the block's output after its ReLU, and its mask (b, c, h, w)."""
        summed, mask = attention_residual(*self.identity_and_residual(x), self.alpha, normalization=self.normalization)
        return ARLOutput(features=self.activation()(summed), mask=mask)

    def activation(self) -> nn.Module:
        """Give what follows the sum, a ReLU in the papers."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Give the output alone: no mask is kept, nor, compiled, what the last norms would give."""
        identity, residual = self.branches(x, defer_norm=self.compiled)
        activation = self.activation()
        rectified = self.compiled and type(activation) is nn.ReLU and not has_hooks(activation)
        y = fused_arl(
            identity,
            residual,
            self.alpha,
            normalization=self.normalization,
            relu=rectified,
            compiled=self.compiled,
        )
        return y if rectified else cast(Tensor, activation(y))


class ARLBasicBlock(ARLBlockMixin, BasicBlock):
    """Two 3 by 3 convolutions with attention residual learning."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        BasicBlock.__init__(self, *args, **kwargs)
        self.add_alpha()

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        return self.bn2

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """F(x) up to its last batch norm, (b, c, h, w)."""
        block = cast(Any, self)  # timm types its layers loosely
        x = block.aa(block.act1(block.drop_block(block.bn1(block.conv1(x)))))
        return cast(Tensor, block.conv2(x))

    def activation(self) -> nn.Module:
        """Give what follows the sum."""
        return self.act2


class ARLBottleneck(ARLBlockMixin, Bottleneck):
    """1 by 1, 3 by 3, 1 by 1 convolutions with attention residual learning (the paper's block)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        Bottleneck.__init__(self, *args, **kwargs)
        self.add_alpha()

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        return self.bn3

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """F(x) up to its last batch norm, (b, c, h, w)."""
        block = cast(Any, self)
        x = block.act1(block.bn1(block.conv1(x)))
        x = block.aa(block.act2(block.drop_block(block.bn2(block.conv2(x)))))
        return cast(Tensor, block.conv3(x))

    def activation(self) -> nn.Module:
        """Give what follows the sum."""
        return self.act3


BLOCKS = {BasicBlock: ARLBasicBlock, Bottleneck: ARLBottleneck}


def compile_attention(model: nn.Module) -> bool:
    """Let every block that attends run the compiled operation in training; say whether there is one."""
    blocks = [module for module in model.modules() if isinstance(module, ARLBlockMixin)]
    for block in blocks:
        block.compiled = True
    return bool(blocks)
