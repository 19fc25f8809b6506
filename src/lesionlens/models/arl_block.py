"""Residual blocks of timm that learn attention residually.

Source: Zhang et al. 2019, equation 9. The paper is silent on two points; as in its residual networks we put the ReLU
after the sum and use the projected shortcut for both identity and attention where the shape changes. The mask uses F(x)
after the last batch norm (and after squeeze-and-excitation, where the backbone has it).
"""

from typing import Any, cast

import torch
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn

from lesionlens.attention.arl import Attended, attend
from lesionlens.attention.arl_operation import add_attention
from lesionlens.attention.branch import Branch
from lesionlens.attention.late_norm import at_once, is_hooked, late_norm

INITIAL_ALPHA = 0.001  # section IV.B


class Attending:
    """What both kinds of block share: the scale gate, and equation 9 in place of ``x + F(x)``."""

    normalisation = "spatial"
    compiled = False  # how it is computed, not what: no part of the state

    def add_gate(self) -> None:
        """Give the block its alpha."""
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        raise NotImplementedError

    def before_norm(self, x: Tensor) -> Tensor:
        """Give what that layer takes, (b, c, h, w), as the kind of block computes it."""
        raise NotImplementedError

    def branches(self, x: Tensor, *, late: bool = False) -> tuple[Branch, Branch]:
        """Give identity and residual F(x); their last norms may be left to whoever reads them."""
        block = cast(Any, self)
        after = [layer for layer in (block.se, block.drop_path) if layer is not None]
        end = late_norm if late and not after else at_once
        residual = end(self.last_norm(), self.before_norm(x))
        for layer in after:
            residual = Branch(layer(residual.given))
        shortcut = block.downsample
        if late and type(shortcut) is nn.Sequential and not is_hooked(shortcut):
            return late_norm(shortcut[-1], shortcut[:-1](x)), residual
        return Branch(x if shortcut is None else shortcut(x)), residual

    def summands(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give identity and residual, both (b, c, h, w)."""
        identity, residual = self.branches(x)
        return identity.given, residual.given

    def attend(self, x: Tensor) -> Attended:
        """Give the block's output after its ReLU, and its mask (b, c, h, w)."""
        summed, mask = attend(*self.summands(x), self.alpha, normalisation=self.normalisation)
        return Attended(features=self.activation()(summed), mask=mask)

    def activation(self) -> nn.Module:
        """Give what follows the sum, a ReLU in the papers."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Give the output alone: no mask is kept, nor, compiled, what the last norms would give."""
        identity, residual = self.branches(x, late=self.compiled)
        activation = self.activation()
        rectified = self.compiled and type(activation) is nn.ReLU and not is_hooked(activation)
        y = add_attention(
            identity,
            residual,
            self.alpha,
            normalisation=self.normalisation,
            rectified=rectified,
            compiled=self.compiled,
        )
        return y if rectified else cast(Tensor, activation(y))


class ARLBasicBlock(Attending, BasicBlock):
    """Two 3 by 3 convolutions with attention residual learning."""

    def __init__(self, *args: Any, **options: Any) -> None:
        BasicBlock.__init__(self, *args, **options)
        self.add_gate()

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        return self.bn2

    def before_norm(self, x: Tensor) -> Tensor:
        """F(x) up to its last batch norm, (b, c, h, w)."""
        block = cast(Any, self)  # timm types its layers loosely
        x = block.aa(block.act1(block.drop_block(block.bn1(block.conv1(x)))))
        return cast(Tensor, block.conv2(x))

    def activation(self) -> nn.Module:
        """Give what follows the sum."""
        return self.act2


class ARLBottleneck(Attending, Bottleneck):
    """1 by 1, 3 by 3, 1 by 1 convolutions with attention residual learning (the paper's block)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        Bottleneck.__init__(self, *args, **options)
        self.add_gate()

    def last_norm(self) -> nn.Module:
        """Give the layer that ends F(x)."""
        return self.bn3

    def before_norm(self, x: Tensor) -> Tensor:
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
    blocks = [module for module in model.modules() if isinstance(module, Attending)]
    for block in blocks:
        block.compiled = True
    return bool(blocks)
