"""Soft attention on a grid of any backbone.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", sections 3.2 and 3.3.
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
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.base import Classifier, Features
from lesionlens.models.types import Images


class AdaptiveFlatten(nn.Module):
    """Lay a grid out as one vector: a grid of another size is first brought to the fixed one by averaging.

    The networks of Datta et al. 2021 flatten the grid that their input size gives, and so take no other size. Here
    any size works; at theirs nothing is averaged.

    Parameters
    ----------
    side
        Places s along a side of the fixed grid.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        if side < 1:
            raise ModelError(
                f"flatten={side}: give the places along a side of the grid that the head reads, 1 or more"
            )
        self.side = side

    def forward(self, feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Give (b, c·s·s)."""
        size = (self.side, self.side)
        fixed = (
            feature_map if tuple(feature_map.shape[2:]) == size else F.adaptive_avg_pool2d(feature_map, size)
        )
        return fixed.flatten(1)


class TruncatedBackbone(NamedTuple):
    """A backbone that ends where it is tapped.

    Attributes
    ----------
    backbone
        It, without what follows.
    discarded_keys
        The keys that it lost.
    channels
        Channels of the tapped grid.
    stage_index
        Number of timm's stage; None where the trunk's last grid is meant.
    """

    backbone: nn.Module
    discarded_keys: frozenset[str]
    channels: int
    stage_index: int | None


class DenseBottleneck(nn.ModuleDict):
    """A dense block that ends inside its last layer, with the bottleneck of all that was gathered before."""

    def forward(self, x: Tensor) -> Tensor:
        """Give the bottleneck (b, c, h, w)."""
        *layers, last = self.values()
        gathered = [x]
        for layer in layers:
            gathered.append(layer(gathered))
        bottleneck: Tensor = last(torch.cat(gathered, dim=1))
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
    *whole, last = list(model.features.denseblock4.items())[:29]
    ends = nn.Sequential(OrderedDict((name, getattr(last[1], name)) for name in ("norm1", "conv1", "norm2")))
    model.features.denseblock4 = DenseBottleneck(OrderedDict([*whole, (last[0], ends)]))
    del model.features.norm5
    return 128


INTRA_BLOCK_TAPS: dict[str, dict[str, Callable[[Any], int]]] = {
    "inception_resnet_v2": {
        "repeat_2": _truncate_after_block_c,
        "repeat_2.8.branch0": _truncate_inside_block_c,
    },
    "densenet201": {"features.denseblock4.denselayer29.norm2": _truncate_inside_dense_block},
}
"""Where Datta et al. 2021 put soft attention inside ImageNet backbones: after stages, and at layers within blocks.

Section 3.2 takes "the feature tensor (t) which flows down the deep neural network", section 3.3 names a block by the
size of its grid. Their code takes a layer counted from the end, which lies on a branch inside a block.

- Inception-ResNet-v2, 299 pixels. Text: ``repeat_2``, the output of block C, 8×8×2080. Code: ``repeat_2.8.branch0``,
  a branch's batch norm before its ReLU, 8×8×192. A side branch does not flow down the network, so the text
  means the former.
- The same for ISIC 2017, 224 pixels: ``repeat_1``, 12×12×1088, and ``repeat_2``, 5×5×2080; the code is not public.
- DenseNet201, 224 pixels. Text: the fourth dense block, which is the last grid, 7×7×1920 (None). Code:
  ``features.denseblock4.denselayer29.norm2``, a bottleneck after its ReLU, 7×7×128.
- ResNet50, 224 pixels: the last grid, 7×7×2048 (None), in both.

The names are the paths of timm's modules; what follows them is cut away.
"""


def truncate_at(name: str, stage: str | None, **kwargs: Any) -> TruncatedBackbone:
    """Build a backbone that ends with a stage of timm's, a tap of ``INTRA_BLOCK_TAPS`` or, for None, its last grid.

    Raises
    ------
    ModelError
        It does not exist, does not take the options, or has no such place: lists those that it has.
    """
    within = INTRA_BLOCK_TAPS.get(name.partition(".")[0], {})
    if stage in within:
        trunk = backbones.create_backbone(name, num_classes=1, **kwargs)
        before = set(trunk.state_dict())
        cast(Any, trunk).reset_classifier(0, "")
        width = within[stage](trunk)
        trunk.num_features = width  # type: ignore[assignment]
        return TruncatedBackbone(trunk, frozenset(before - set(trunk.state_dict())), width, stage_index=None)
    if stage is None:
        trunk, dropped = backbones.truncated_backbone(name, **kwargs)
        return TruncatedBackbone(trunk, dropped, int(trunk.num_features), stage_index=None)  # type: ignore[arg-type]
    known = {
        found.name: found.channels for found in backbones.list_stages(backbones.meta_model(name, **kwargs))
    }
    if stage not in known:
        raise ModelError(unknown_name_message("stage", stage, [*known, *within]))
    trunk, dropped = backbones.truncated_backbone(name, last_stage=stage, **kwargs)
    return TruncatedBackbone(trunk, dropped, known[stage], stage_index=list(known).index(stage))


def forward_to_tap(model: nn.Module, x: Images, *, stage_index: int | None) -> Tensor:
    """Give the tapped grid, (b, c, h, w), of a backbone and a stage that ``truncate_at`` gave."""
    if stage_index is None:
        return backbones.to_nchw(
            cast(Any, model).forward_features(x), model, image_size=(x.shape[2], x.shape[3])
        )
    return backbones.forward_stages(model, x, (stage_index,))[1][0]


class SoftAttentionNet(Classifier):
    """A backbone up to one grid, the soft-attention block on it, and one linear layer.

    The networks of the paper: ``resnet50`` as it is; ``inception_resnet_v2`` with ``stage="repeat_2"`` and
    ``flatten=4``; ``densenet201`` with ``flatten=4``. Those of the authors' code: ``mode="authors"``, and for the
    last two ``stage="repeat_2.8.branch0"`` and ``stage="features.denseblock4.denselayer29.norm2"``. For ISIC 2017:
    ``stage="repeat_1", flatten=6`` and ``stage="repeat_2", flatten=3`` at 224 pixels; see
    ``INTRA_BLOCK_TAPS``.

    Parameters
    ----------
    name
        A timm model with backbones.
    num_classes
        Number of classes k.
    stage
        Where the block stands; what follows is cut away. By default the last grid.
    flatten
        None: the block's grid is averaged. A number s: it is read place by place, s along a side.
    heads, mode, dropout, initial_gamma
        As for ``SoftAttentionBlock``.
    kwargs
        Further options of that timm model.

    Raises
    ------
    ModelError
        The backbone has no stages, or not this; the mode does not exist.
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
        place = truncate_at(name, stage, **kwargs)
        self.backbone, self.discarded_keys, self._stage_index = (
            place.backbone,
            place.discarded_keys,
            place.stage_index,
        )
        self.soft = SoftAttentionBlock(
            place.channels, heads=heads, mode=mode, dropout=dropout, initial_gamma=initial_gamma
        )
        self.attention_scales = tuple(
            key for key, _ in self.named_parameters() if key == "soft.attention.gamma"
        )
        self.flatten = None if flatten is None else AdaptiveFlatten(flatten)
        self.num_features = 2 * place.channels * (flatten or 1) ** 2
        self.head = nn.Linear(self.num_features, num_classes)
        init_head_near_zero(self.head)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the block's grid, (b, 2c, h', w'), and, if asked for, its maps on the grid that it attends to."""
        found = self.soft(forward_to_tap(self.backbone, x, stage_index=self._stage_index))
        return Features(feature_map=found.feature_map, maps=found.named_maps() if maps else {})

    def pool(self, features: Features) -> Tensor:
        """Average the grid, or lay it out, (b, f)."""
        grid = features.feature_map
        embedded: Tensor = grid.mean(dim=(2, 3)) if self.flatten is None else self.flatten(grid)
        return embedded

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Apply the linear layer."""
        logits: Tensor = self.head(pooled)
        return logits

    def linear_head_weight(self) -> Tensor | None:
        """Weight (k, 2c) where the grid is averaged."""
        return self.head.weight if self.flatten is None else None
