"""Attention residual learning in timm's residual networks.

Source: Zhang et al. 2019, Table I and equation 9. The paper is silent on two points; as in its residual networks we put
the ReLU after the sum and use the projected shortcut for both identity and attention where the shape changes. The mask
uses F(x) after the last batch norm (and after squeeze-and-excitation, where the backbone has it).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.models.attention.arl import ARLOutput, attention_residual, get_normalization
from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.models.attention.deferred_norm import (
    DeferredNormBranch,
    apply_now,
    deferred_batch_norm,
    has_hooks,
)
from lesionlens.models.base import Features, MapValueRange, TimmClassifier
from lesionlens.models.types import Images

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

    def branches(
        self, x: Tensor, *, defer_norm: bool = False
    ) -> tuple[DeferredNormBranch, DeferredNormBranch]:
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
        summed, mask = attention_residual(
            *self.identity_and_residual(x), self.alpha, normalization=self.normalization
        )
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


MAP_VALUE_RANGES: Mapping[str, MapValueRange] = {
    "spatial": "distribution",
    "area": "distribution",
    "sigmoid": "unit_interval",
    "channel": "constant",  # a map is the mean over channels, which sum to 1 at each place
}
STAGES = ("layer1", "layer2", "layer3", "layer4")  # timm's names


class ARLResNet(TimmClassifier):
    """A timm ResNet (ResNet, -D, ResNeXt, Wide, SE) whose blocks learn attention residually.

    Parameters
    ----------
    name
        A timm model made of BasicBlock or Bottleneck.
    num_classes
        Number of classes k.
    normalization
        ``spatial`` (the paper's), ``channel`` or ``sigmoid`` (Table V), or ``area`` (ours: the spatial mask
        with mean 1).
    alpha
        Initial scale gate of every block.
    taps
        Names of the stages whose blocks attend, ``layer1`` to ``layer4``; all in the paper.
    kwargs
        Further options of that timm model.

    Raises
    ------
    ModelError
        The backbone has no ``x + F(x)`` blocks that attention residual learning could use.
    """

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        normalization: str = "spatial",
        alpha: float = INITIAL_ALPHA,
        taps: Sequence[str] = STAGES,
        **kwargs: Any,
    ) -> None:
        get_normalization(normalization)  # refuses an unknown one before anything is built
        super().__init__(name, num_classes=num_classes, block=_block_classes(name, taps), **kwargs)
        for _, block in self.arl_blocks():
            block.normalization = normalization
            nn.init.constant_(block.alpha, alpha)
        self.map_value_range = MAP_VALUE_RANGES[normalization]
        self.attention_scales = tuple(f"backbone.{layer}.alpha" for layer, _ in self.arl_blocks())

    def stages(self) -> Iterator[tuple[str, nn.Sequential]]:
        """Give the four stages with their names."""
        for name, stage in zip(STAGES, _stage_modules(self.backbone), strict=True):
            yield name, cast(nn.Sequential, stage)

    def arl_blocks(self) -> Iterator[tuple[str, Any]]:
        """Give every block that attends with its name in the backbone, for example ``layer3.5``."""
        for name, stage in self.stages():
            for number, block in enumerate(stage):
                if isinstance(block, ARLBlockMixin):
                    yield f"{name}.{number}", block

    def alphas(self) -> dict[str, float]:
        """Give the learnt scale gate of every block (the curves of Fig. 7)."""
        return {name: float(block.alpha.detach()) for name, block in self.arl_blocks()}

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid and, if asked for, the mask of each stage's last block, averaged over channels."""
        trunk = cast(Any, self.backbone)
        x = trunk.maxpool(trunk.act1(trunk.bn1(trunk.conv1(x))))
        looked: dict[str, Tensor] = {}
        for name, stage in self.stages():
            x, last = stage[:-1](x), stage[-1]
            if maps and isinstance(last, ARLBlockMixin):
                x, mask = last.forward_with_mask(x)
                looked[name] = mask.mean(dim=1)
            else:
                x = last(x)
        return Features(feature_map=x, maps=looked)


def _block_classes(name: str, taps: Sequence[str]) -> Any:
    """Find the block of each stage: an attending one where it was asked for; one class where all are the same."""
    for tap in taps:
        if tap not in STAGES:
            raise ModelError(unknown_name_message("stage", tap, STAGES))
    model = backbone.meta_model(name)
    stages = _stage_modules(model) if isinstance(model, ResNet) else []
    made_of: list[type[nn.Module]] = [type(cast(Any, stage)[0]) for stage in stages]
    if not made_of or not set(made_of) <= set(BLOCKS):
        raise ModelError(
            f"attention residual learning needs blocks that compute x + F(x); {name!r} has none that it knows. "
            f"{backbone.SUPPORTED_RESIDUAL_BACKBONES}"
        )
    blocks = [BLOCKS[k] if stage in taps else k for stage, k in zip(STAGES, made_of, strict=True)]
    return blocks[0] if len(set(blocks)) == 1 else blocks


def _stage_modules(model: nn.Module) -> list[nn.Module]:
    return [getattr(model, name) for name in STAGES]
