"""Soft attention on a feature map of any backbone.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", sections 3.2 and 3.3.

Where the paper inserts the block in ImageNet backbones: section 3.2 takes "the feature tensor (t) which flows down the
deep neural network", section 3.3 names a block by the size of its feature map. The authors' code takes a layer counted
from the end, which is on a branch inside a block. As paths of timm's modules (layers after them are removed):

- Inception-ResNet-v2, 299 pixels. Text: ``repeat_2``, the output of block C, 8×8×2080. Code: ``repeat_2.8.branch0``,
  a branch's batch norm before its ReLU, 8×8×192. A side branch does not flow down the network, so the text
  means the former.
- The same for ISIC 2017, 224 pixels: ``repeat_1``, 12×12×1088, and ``repeat_2``, 5×5×2080; the code is not public.
- DenseNet201, 224 pixels. Text: the fourth dense block, which is the last feature map, 7×7×1920 (None). Code:
  ``features.denseblock4.denselayer29.norm2``, a bottleneck after its ReLU, 7×7×128.
- ResNet50, 224 pixels: the last feature map, 7×7×2048 (None), in both.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import backbone as backbones
from lesionlens.models.attention.soft import SoftAttentionBlock
from lesionlens.models.base import Classifier, Features
from lesionlens.models.types import Images


class SoftAttentionNet(Classifier):
    """Backbone up to one feature map, the soft-attention block on it, and one linear layer.

    The networks of the paper: ``resnet50`` with the defaults; ``inception_resnet_v2`` with ``stage="repeat_2"`` and
    ``flatten=4``; ``densenet201`` with ``flatten=4``. Those of the authors' code: ``mode="authors"``, and for the
    last two ``stage="repeat_2.8.branch0"`` and ``stage="features.denseblock4.denselayer29.norm2"``. For ISIC 2017:
    ``stage="repeat_1", flatten=6`` and ``stage="repeat_2", flatten=3`` at 224 pixels.

    Parameters
    ----------
    name
        Name of a timm model with stages.
    num_classes
        Number of classes k.
    stage
        Layer after which the block is inserted; later layers are removed. Default: the last feature map.
    flatten
        Side length s of the feature map whose values the head reads separately; None (default): the head reads its
        spatial average.
    heads, mode, dropout, initial_gamma
        As for ``SoftAttentionBlock``.
    kwargs
        Further options of the timm model.

    Raises
    ------
    ModelError
        The backbone has no stages, or not this one; the mode does not exist.
    """

    map_value_range = "distribution"

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        stage: str | None = None,
        flatten: int | None = None,
        heads: int = 16,
        mode: str = "paper",
        dropout: float = 0.5,
        initial_gamma: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        truncated = truncate_at(name, stage, **kwargs)
        self.backbone, self.discarded_keys = truncated.backbone, truncated.discarded_keys
        self._stage_index = truncated.stage_index
        self.soft = SoftAttentionBlock(
            truncated.channels, heads=heads, mode=mode, dropout=dropout, initial_gamma=initial_gamma
        )
        self.attention_scales = tuple(
            key for key, _ in self.named_parameters() if key == "soft.attention.gamma"
        )
        self.flatten = None if flatten is None else AdaptiveFlatten(flatten)
        self.num_features = 2 * truncated.channels * (flatten or 1) ** 2
        self.add_head(num_classes)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the block's feature map, (b, 2c, h', w'), and, if requested, its maps before pooling."""
        output = self.soft(forward_to_tap(self.backbone, x, stage_index=self._stage_index))
        return Features(feature_map=output.feature_map, maps=output.named_maps() if maps else {})

    def pool(self, features: Features) -> Tensor:
        """Average or flatten the feature map, (b, f)."""
        feature_map = features.feature_map
        pooled: Tensor = feature_map.mean(dim=(2, 3)) if self.flatten is None else self.flatten(feature_map)
        return pooled

    def linear_head_weight(self) -> Tensor | None:
        """Return the weight (k, 2c) if the feature map is averaged, otherwise None."""
        return self.head.weight if self.flatten is None else None


class AdaptiveFlatten(nn.Module):
    """Flatten a feature map, after average pooling to a fixed size if it has another.

    The networks of Datta et al. 2021 flatten the feature map of one input size and accept no other. Here any input
    size works; at theirs nothing is averaged.

    Parameters
    ----------
    side
        Side length s of the fixed feature map.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        if side < 1:
            raise ModelError(
                f"flatten={side} is not allowed. Set the side length of the feature map that the head reads, 1 or more"
            )
        self.side = side

    def forward(self, feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Return a vector of length c·s·s per image."""
        size = (self.side, self.side)
        resized = (
            feature_map if tuple(feature_map.shape[2:]) == size else F.adaptive_avg_pool2d(feature_map, size)
        )
        return resized.flatten(1)


class TruncatedBackbone(NamedTuple):
    """Backbone that ends at a tap.

    Attributes
    ----------
    backbone
        Network without the later layers.
    discarded_keys
        State-dict keys of the removed layers.
    channels
        Number of channels of the tapped feature map.
    stage_index
        Index of the tapped stage of timm; None for the last feature map of ``backbone``.
    """

    backbone: nn.Module
    discarded_keys: frozenset[str]
    channels: int
    stage_index: int | None


def truncate_at(name: str, stage: str | None, **kwargs: Any) -> TruncatedBackbone:
    """Build a backbone that ends with a stage of timm, with a tap of ``INTRA_BLOCK_TAPS`` or with its last feature map.

    Parameters
    ----------
    name, kwargs
        Name and options of a timm model.
    stage
        Name of the stage or tap; None for the last feature map.

    Raises
    ------
    ModelError
        The backbone does not exist, does not accept the options, or has no such stage: lists the existing ones.
    """
    intra_block_taps = INTRA_BLOCK_TAPS.get(name.partition(".")[0], {})
    if stage in intra_block_taps:
        return _truncate_within_block(name, intra_block_taps[stage], **kwargs)
    if stage is None:
        model, discarded = backbones.truncated_backbone(name, **kwargs)
        return TruncatedBackbone(model, discarded, int(model.num_features), stage_index=None)  # type: ignore[arg-type]
    listed = backbones.list_stages(backbones.meta_model(name, **kwargs))
    channels = {timm_stage.name: timm_stage.channels for timm_stage in listed}
    if stage not in channels:
        raise ModelError(unknown_name_message("stage", stage, [*channels, *intra_block_taps]))
    model, discarded = backbones.truncated_backbone(name, last_stage=stage, **kwargs)
    return TruncatedBackbone(model, discarded, channels[stage], stage_index=list(channels).index(stage))


def _truncate_within_block(name: str, truncate: Callable[[Any], int], **kwargs: Any) -> TruncatedBackbone:
    model = backbones.create_backbone(name, num_classes=1, **kwargs)
    keys = set(model.state_dict())
    cast(Any, model).reset_classifier(0, "")
    channels = truncate(model)
    model.num_features = channels  # type: ignore[assignment]
    return TruncatedBackbone(model, frozenset(keys - set(model.state_dict())), channels, stage_index=None)


def forward_to_tap(model: nn.Module, x: Images, *, stage_index: int | None) -> Tensor:
    """Return the tapped feature map, (b, c, h, w), of the backbone and stage of a ``TruncatedBackbone``."""
    if stage_index is None:
        return backbones.to_nchw(
            cast(Any, model).forward_features(x), model, image_size=(x.shape[2], x.shape[3])
        )
    return backbones.forward_stages(model, x, (stage_index,))[1][0]


class DenseBottleneck(nn.ModuleDict):
    """Dense block that ends with the bottleneck of its last layer, computed from all features before it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the bottleneck, (b, c, h, w)."""
        *layers, last = self.values()
        features = [x]
        for layer in layers:
            features.append(layer(features))
        bottleneck: Tensor = last(torch.cat(features, dim=1))
        return bottleneck


def _truncate_after_block_c(model: Any) -> int:
    model.block8, model.conv2d_7b = nn.Identity(), nn.Identity()
    return 2080


def _truncate_inside_block_c(model: Any) -> int:
    _truncate_after_block_c(model)
    branch = model.repeat_2[8].branch0
    branch.bn.act = nn.Identity()
    model.repeat_2[8] = nn.Sequential(OrderedDict(branch0=branch))
    return 192


def _truncate_inside_dense_block(model: Any) -> int:
    *layers, (last_name, last) = list(model.features.denseblock4.items())[:29]
    bottleneck = nn.Sequential(
        OrderedDict((name, getattr(last, name)) for name in ("norm1", "conv1", "norm2"))
    )
    model.features.denseblock4 = DenseBottleneck(OrderedDict([*layers, (last_name, bottleneck)]))
    del model.features.norm5
    return 128


INTRA_BLOCK_TAPS: dict[str, dict[str, Callable[[Any], int]]] = {
    "inception_resnet_v2": {
        "repeat_2": _truncate_after_block_c,
        "repeat_2.8.branch0": _truncate_inside_block_c,
    },
    "densenet201": {"features.denseblock4.denselayer29.norm2": _truncate_inside_dense_block},
}
"""Taps that are not stages of timm, by backbone and module path; each function returns the number of channels."""
