"""Residual Attention Network (RAN) of Wang et al. 2017: a mask branch multiplies the middle blocks of each stage.

RAN is a baseline of ARL-CNN and not attention residual learning (ARL), which is in ``arl_resnet``: RAN computes its
masks in separate hourglass branches with their own weights, ARL in each block from the block's own features.

Source: "Residual Attention Network for Image Classification", equation 3 and figures 2 and 3. Zhang et al. 2019
compare with it at 14 and 50 layers, but the table with their architecture is not available. Our choices: the trunk
branch is the residual network of the same depth, so that its ImageNet weights can be loaded. In each of the first
three stages the first block preprocesses, the last block (in stages of three or more) postprocesses, and those
between are the trunk branch T; in a stage of one block T(x) = x. The mask branch downsamples to the size of the last
stage (7 by 7 at 224 pixels), with one residual unit at each level and on each skip connection (r = 1 in the source).
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.models.base import Features, TimmClassifier
from lesionlens.models.types import Images

ATTENTION_STAGES = ("layer1", "layer2", "layer3")  # timm's names; the last stage has none, as in the source


class HourglassLevel(nn.Module):
    """One level of the mask branch: pool, unit, deeper level plus a skip connection, unit, upsample."""

    def __init__(self, unit: type[nn.Module], channels: int, depth: int) -> None:
        super().__init__()
        inner = channels // int(cast(Any, unit).expansion)
        self.enter, self.leave = unit(channels, inner), unit(channels, inner)
        self.skip = unit(channels, inner) if depth > 1 else None
        self.deeper = HourglassLevel(unit, channels, depth - 1) if depth > 1 else None

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Process x at half its resolution and below, and upsample to its size."""
        y = self.enter(F.max_pool2d(x, 3, stride=2, padding=1))
        if self.skip is not None and self.deeper is not None:
            y = self.skip(y) + self.deeper(y)
        size = (x.shape[2], x.shape[3])
        return F.interpolate(self.leave(y), size=size, mode="bilinear", align_corners=False)


class MaskBranch(nn.Module):
    """Mask branch M(x), with values between 0 and 1 and the shape of x."""

    def __init__(self, unit: type[nn.Module], channels: int, depth: int) -> None:
        super().__init__()
        self.levels = HourglassLevel(unit, channels, depth)
        self.squeeze = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the mask."""
        return torch.sigmoid(self.squeeze(self.levels(x)))


class ResidualAttentionNetwork(TimmClassifier):
    """Residual Attention Network (RAN): timm ResNet with a soft mask on the middle blocks of its first three stages.

    Parameters
    ----------
    name
        Name of a timm model made of BasicBlock or Bottleneck.
    num_classes
        Number of classes k.
    taps
        Names of the stages with a mask, of ``layer1`` to ``layer3``; default all, as in the source.
    kwargs
        Further options of the timm model.

    Raises
    ------
    ModelError
        The backbone is not such a ResNet, or has no such stage.
    """

    def __init__(
        self, name: str, *, num_classes: int, taps: Sequence[str] = ATTENTION_STAGES, **kwargs: Any
    ) -> None:
        super().__init__(name, num_classes=num_classes, **kwargs)
        self.masks = nn.ModuleDict()
        for stage in taps:
            if stage not in ATTENTION_STAGES:
                raise ModelError(unknown_name_message("stage", stage, ATTENTION_STAGES))
            block = _last_block(self.backbone, stage, name)
            basic = isinstance(block, BasicBlock)
            channels = int(block.bn2.num_features if basic else block.bn3.num_features)
            depth = len(ATTENTION_STAGES) - ATTENTION_STAGES.index(stage)
            self.masks[stage] = MaskBranch(BasicBlock if basic else Bottleneck, channels, depth)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map and, if requested, the channel mean of each stage's mask."""
        resnet = cast(Any, self.backbone)
        x = resnet.maxpool(resnet.act1(resnet.bn1(resnet.conv1(x))))
        attention_maps: dict[str, Tensor] = {}
        for name in ATTENTION_STAGES:
            stage = getattr(resnet, name)
            if name not in self.masks:
                x = stage(x)
                continue
            middle = slice(1, -1) if len(stage) > 2 else slice(1, None)
            x = stage[0](x)
            mask = self.masks[name](x)
            x = (1 + mask) * stage[middle](x)  # eq. 3
            x = stage[-1](x) if len(stage) > 2 else x
            if maps:
                attention_maps[name] = mask.mean(dim=1)
        return Features(feature_map=resnet.layer4(x), maps=attention_maps)


def _last_block(model: nn.Module, stage: str, name: str) -> Any:
    block = getattr(model, stage)[-1] if isinstance(model, ResNet) else None
    if not isinstance(block, BasicBlock | Bottleneck):
        raise ModelError(
            f"the residual attention network (ran) needs stages of residual blocks; {name!r} has none of the "
            f"supported kinds. {backbone.SUPPORTED_RESIDUAL_BACKBONES}"
        )
    return block
