"""Attention residual learning (ARL) in timm's residual networks: the ARL-CNNs.

Not to be confused with the Residual Attention Network (RAN) of Wang et al. 2017 in ``residual_attention_network``.

Source: Zhang et al. 2019, Table I and equation 9. The paper does not specify two points; as in its residual networks,
the ReLU follows the sum here, and where the shape changes the projected shortcut is used for both identity and
attention. The mask is computed from F(x) after the last batch norm (and after squeeze-and-excitation, if the backbone
has it).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.models.attention.arl import ARLOutput, attention_residual, get_normalization
from lesionlens.models.attention.arl_fused import fused_block
from lesionlens.models.base import Features, MapValueRange, TimmClassifier
from lesionlens.models.types import Images

INITIAL_ALPHA = 0.001  # section IV.B
STAGES = ("layer1", "layer2", "layer3", "layer4")  # timm's names
MAP_VALUE_RANGES: Mapping[str, MapValueRange] = {
    "spatial": "distribution",
    "area": "distribution",
    "sigmoid": "unit_interval",
    "channel": "constant",  # a map is the mean over channels, which sum to 1 at each position
}


class ARLBlockMixin:
    """Equation 9 in place of ``x + F(x)`` in a block of timm, with a learnable scale ``alpha``."""

    normalization = "spatial"
    compiled = False  # affects only how the block is computed, so it is not in the state dict

    def add_alpha(self) -> None:
        """Create the parameter alpha."""
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def forward_with_mask(self, x: Tensor) -> ARLOutput:
        """Return the output after the activation and the mask, both (b, c, h, w)."""
        y, mask = attention_residual(
            *self.identity_and_residual(x), self.alpha, normalization=self.normalization
        )
        return ARLOutput(features=self.activation()(y), mask=mask)

    def forward_with_attention_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output after the activation and the attention feature map N(F(x)) · x, both (b, c, h, w)."""
        identity, residual = self.identity_and_residual(x)
        y, mask = attention_residual(identity, residual, self.alpha, normalization=self.normalization)
        return self.activation()(y), mask * identity

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, as ``forward_with_mask`` does, without storing a mask."""
        return fused_block(self, x)

    def identity_and_residual(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return identity and residual F(x), both (b, c, h, w)."""
        residual = self.residual(x)
        return self.identity(x), residual

    def identity(self, x: Tensor) -> Tensor:
        """Return x, projected if the shape changes."""
        shortcut = cast(Any, self).downsample
        return x if shortcut is None else cast(Tensor, shortcut(x))

    def residual(self, x: Tensor) -> Tensor:
        """Compute F(x), (b, c, h, w)."""
        block = cast(Any, self)
        y: Tensor = self.last_norm()(self.layers_before_last_norm(x))
        for layer in (block.se, block.drop_path):
            y = y if layer is None else layer(y)
        return y

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """Compute F(x) up to its last batch norm, (b, c, h, w)."""
        raise NotImplementedError

    def last_norm(self) -> nn.Module:
        """Return the last batch norm of F(x)."""
        raise NotImplementedError

    def activation(self) -> nn.Module:
        """Return the layer that follows the sum, a ReLU in the paper."""
        raise NotImplementedError


class ARLBasicBlock(ARLBlockMixin, BasicBlock):
    """Two 3 by 3 convolutions with attention residual learning."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        BasicBlock.__init__(self, *args, **kwargs)
        self.add_alpha()

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """Compute F(x) up to its last batch norm, (b, c, h, w)."""
        block = cast(Any, self)  # timm types its layers loosely
        x = block.aa(block.act1(block.drop_block(block.bn1(block.conv1(x)))))
        return cast(Tensor, block.conv2(x))

    def last_norm(self) -> nn.Module:
        """Return the last batch norm of F(x)."""
        return self.bn2

    def activation(self) -> nn.Module:
        """Return the layer that follows the sum."""
        return self.act2


class ARLBottleneck(ARLBlockMixin, Bottleneck):
    """1 by 1, 3 by 3, 1 by 1 convolutions with attention residual learning (the paper's block)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        Bottleneck.__init__(self, *args, **kwargs)
        self.add_alpha()

    def layers_before_last_norm(self, x: Tensor) -> Tensor:
        """Compute F(x) up to its last batch norm, (b, c, h, w)."""
        block = cast(Any, self)
        x = block.act1(block.bn1(block.conv1(x)))
        x = block.aa(block.act2(block.drop_block(block.bn2(block.conv2(x)))))
        return cast(Tensor, block.conv3(x))

    def last_norm(self) -> nn.Module:
        """Return the last batch norm of F(x)."""
        return self.bn3

    def activation(self) -> nn.Module:
        """Return the layer that follows the sum."""
        return self.act3


BLOCKS = {BasicBlock: ARLBasicBlock, Bottleneck: ARLBottleneck}


class ARLResNet(TimmClassifier):
    """timm ResNet (ResNet, -D, ResNeXt, Wide, SE) whose blocks use attention residual learning.

    Parameters
    ----------
    name
        Name of a timm model made of BasicBlock or Bottleneck.
    num_classes
        Number of classes k.
    normalization
        Normalization of the mask: ``spatial`` (the paper's), ``channel`` or ``sigmoid`` (Table V), or ``area`` (not in
        the paper: the spatial mask scaled to mean 1).
    alpha
        Initial alpha of every block, default 0.001.
    taps
        Names of the stages whose blocks attend, ``layer1`` to ``layer4``; default all, as in the paper.
    kwargs
        Further options of the timm model.

    Raises
    ------
    ModelError
        The backbone has no ``x + F(x)`` blocks that attention residual learning can use.
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
        get_normalization(normalization)  # raises for an unknown name before the network is built
        super().__init__(name, num_classes=num_classes, block=_block_classes(name, taps), **kwargs)
        for _, block in self.arl_blocks():
            block.normalization = normalization
            nn.init.constant_(block.alpha, alpha)
        self.map_value_range = MAP_VALUE_RANGES[normalization]
        self.attention_scales = tuple(f"backbone.{layer}.alpha" for layer, _ in self.arl_blocks())

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map and, if requested, the channel mean of the mask of each stage's last block."""
        x = self._stem(x)
        attention_maps: dict[str, Tensor] = {}
        for name, stage in self.stages():
            x, last_block = stage[:-1](x), stage[-1]
            if maps and isinstance(last_block, ARLBlockMixin):
                x, mask = last_block.forward_with_mask(x)
                attention_maps[name] = mask.mean(dim=1)
            else:
                x = last_block(x)
        return Features(feature_map=x, maps=attention_maps)

    def attention_feature_maps(self, x: Images) -> dict[str, Float[Tensor, "b ..."]]:
        """Return the attention feature map N(F(x)) · x of every attending block, averaged over channels.

        Zhang et al. 2019, equation 8 and Fig. 7: the term of equation 9 before the factor alpha. Keys are those of
        ``arl_blocks``. Of ARL-CNN50, ``layer2.0``, ``layer3.2`` and ``layer4.2`` end with the 13th, 31st and 49th
        convolutional layer.
        """
        x = self._stem(x)
        feature_maps: dict[str, Tensor] = {}
        for name, stage in self.stages():
            for number, block in enumerate(stage):
                if isinstance(block, ARLBlockMixin):
                    x, attended = block.forward_with_attention_features(x)
                    feature_maps[f"{name}.{number}"] = attended.mean(dim=1)
                else:
                    x = block(x)
        return feature_maps

    def _stem(self, x: Images) -> Tensor:
        resnet = cast(Any, self.backbone)
        return cast(Tensor, resnet.maxpool(resnet.act1(resnet.bn1(resnet.conv1(x)))))

    def stages(self) -> Iterator[tuple[str, nn.Sequential]]:
        """Yield (name, stage) of the four stages."""
        for name, stage in zip(STAGES, _stage_modules(self.backbone), strict=True):
            yield name, cast(nn.Sequential, stage)

    def arl_blocks(self) -> Iterator[tuple[str, Any]]:
        """Yield (name in the backbone, block) of every block that attends, for example ``layer3.5``."""
        for name, stage in self.stages():
            for number, block in enumerate(stage):
                if isinstance(block, ARLBlockMixin):
                    yield f"{name}.{number}", block


def _block_classes(name: str, taps: Sequence[str]) -> Any:
    """Return the block class of each stage, or one class if all stages have the same."""
    for tap in taps:
        if tap not in STAGES:
            raise ModelError(unknown_name_message("stage", tap, STAGES))
    model = backbone.meta_model(name)
    stages = _stage_modules(model) if isinstance(model, ResNet) else []
    timm_blocks: list[type[nn.Module]] = [type(cast(Any, stage)[0]) for stage in stages]
    if not timm_blocks or not set(timm_blocks) <= set(BLOCKS):
        raise ModelError(
            f"attention residual learning needs blocks that compute x + F(x); {name!r} has none of the supported "
            f"kinds. {backbone.SUPPORTED_RESIDUAL_BACKBONES}"
        )
    blocks = [BLOCKS[k] if stage in taps else k for stage, k in zip(STAGES, timm_blocks, strict=True)]
    return blocks[0] if len(set(blocks)) == 1 else blocks


def _stage_modules(model: nn.Module) -> list[nn.Module]:
    return [getattr(model, name) for name in STAGES]


def compile_attention(model: nn.Module) -> bool:
    """Let all attention blocks run the compiled operation in training; return whether there are any."""
    blocks = [module for module in model.modules() if isinstance(module, ARLBlockMixin)]
    for block in blocks:
        block.compiled = True
    return bool(blocks)
