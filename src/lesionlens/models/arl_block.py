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

INITIAL_ALPHA = 0.001  # section IV.B


class Attending:
    """What both kinds of block share: the scale gate, and equation 9 in place of ``x + F(x)``."""

    normalisation = "spatial"
    compiled = False  # how it is computed, not what: no part of the state

    def add_gate(self) -> None:
        """Give the block its alpha."""
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def residual(self, x: Tensor) -> Tensor:
        """F(x), as the kind of block computes it."""
        raise NotImplementedError

    def summands(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give identity and residual, both (b, c, h, w)."""
        block = cast(Any, self)
        added = self.residual(x)
        added = block.se(added) if block.se is not None else added
        added = block.drop_path(added) if block.drop_path is not None else added
        return (x if block.downsample is None else block.downsample(x)), added

    def attend(self, x: Tensor) -> Attended:
        """Give the block's output after its ReLU, and its mask (b, c, h, w)."""
        summed, mask = attend(*self.summands(x), self.alpha, normalisation=self.normalisation)
        return Attended(features=self.last_relu(summed), mask=mask)

    def last_relu(self, summed: Tensor) -> Tensor:
        """Apply the activation after the sum, as the kind of block has it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Give the output alone: no mask is made or kept."""
        summed = add_attention(
            *self.summands(x), self.alpha, normalisation=self.normalisation, compiled=self.compiled
        )
        return self.last_relu(summed)


class ARLBasicBlock(Attending, BasicBlock):
    """Two 3 by 3 convolutions with attention residual learning."""

    def __init__(self, *args: Any, **options: Any) -> None:
        BasicBlock.__init__(self, *args, **options)
        self.add_gate()

    def residual(self, x: Tensor) -> Tensor:
        """F(x): all up to the last batch norm, (b, c, h, w)."""
        block = cast(Any, self)  # timm types its layers loosely
        x = block.aa(block.act1(block.drop_block(block.bn1(block.conv1(x)))))
        return cast(Tensor, block.bn2(block.conv2(x)))

    def last_relu(self, summed: Tensor) -> Tensor:
        """Apply the activation after the sum."""
        return cast(Tensor, self.act2(summed))


class ARLBottleneck(Attending, Bottleneck):
    """1 by 1, 3 by 3, 1 by 1 convolutions with attention residual learning (the paper's block)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        Bottleneck.__init__(self, *args, **options)
        self.add_gate()

    def residual(self, x: Tensor) -> Tensor:
        """F(x): all up to the last batch norm, (b, c, h, w)."""
        block = cast(Any, self)
        x = block.act1(block.bn1(block.conv1(x)))
        x = block.aa(block.act2(block.drop_block(block.bn2(block.conv2(x)))))
        return cast(Tensor, block.bn3(block.conv3(x)))

    def last_relu(self, summed: Tensor) -> Tensor:
        """Apply the activation after the sum."""
        return cast(Tensor, self.act3(summed))


BLOCKS = {BasicBlock: ARLBasicBlock, Bottleneck: ARLBottleneck}


def compile_attention(model: nn.Module) -> bool:
    """Let every block that attends run the compiled operation in training; say whether there is one."""
    blocks = [module for module in model.modules() if isinstance(module, Attending)]
    for block in blocks:
        block.compiled = True
    return bool(blocks)
