"""Where Datta et al. 2021 put soft attention inside ImageNet backbones: after stages, and at places within blocks.

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

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models import backbone, stages
from lesionlens.types import Images


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
    "inception_resnet_v2": {"repeat_2": _truncate_after_block_c, "repeat_2.8.branch0": _truncate_inside_block_c},
    "densenet201": {"features.denseblock4.denselayer29.norm2": _truncate_inside_dense_block},
}


def truncate_at(name: str, stage: str | None, **kwargs: Any) -> TruncatedBackbone:
    """Build a backbone that ends with a stage of timm's, with a place of ``WITHIN`` or, for None, with its last grid.

    Raises
    ------
    ModelError
        It does not exist, does not take the options, or has no such place: lists those that it has.
    """
    within = INTRA_BLOCK_TAPS.get(name.partition(".")[0], {})
    if stage in within:
        trunk = backbone.create_backbone(name, num_classes=1, **kwargs)
        before = set(trunk.state_dict())
        cast(Any, trunk).reset_classifier(0, "")
        width = within[stage](trunk)
        trunk.num_features = width  # type: ignore[assignment]
        return TruncatedBackbone(trunk, frozenset(before - set(trunk.state_dict())), width, stage_index=None)
    if stage is None:
        trunk, dropped = stages.truncated_backbone(name, **kwargs)
        return TruncatedBackbone(trunk, dropped, int(trunk.num_features), stage_index=None)  # type: ignore[arg-type]
    known = {found.name: found.channels for found in stages.list_stages(backbone.meta_model(name, **kwargs))}
    if stage not in known:
        raise ModelError(unknown_name_message("stage", stage, [*known, *within]))
    trunk, dropped = stages.truncated_backbone(name, last_stage=stage, **kwargs)
    return TruncatedBackbone(trunk, dropped, known[stage], stage_index=list(known).index(stage))


def forward_to_tap(model: nn.Module, x: Images, *, stage_index: int | None) -> Tensor:
    """Give the tapped grid, (b, c, h, w), of a trunk and a stage that ``tap`` gave."""
    if stage_index is None:
        return backbone.to_nchw(cast(Any, model).forward_features(x), model, image_size=(x.shape[2], x.shape[3]))
    return stages.forward_stages(model, x, (stage_index,))[1][0]
