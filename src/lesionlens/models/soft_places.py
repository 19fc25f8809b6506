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

from lesionlens.errors import ModelError, unknown
from lesionlens.models import backbone, stages
from lesionlens.types import Images


class Place(NamedTuple):
    """A backbone that ends where it is tapped.

    Attributes
    ----------
    trunk
        It, without what follows.
    dropped
        The keys that it lost.
    width
        Channels of the tapped grid.
    stage
        Number of timm's stage; None where the trunk's last grid is meant.
    """

    trunk: nn.Module
    dropped: frozenset[str]
    width: int
    stage: int | None


class Bottleneck(nn.ModuleDict):
    """A dense block that ends inside its last layer, with the bottleneck of all that was gathered before."""

    def forward(self, x: Tensor) -> Tensor:
        """Give the bottleneck (b, c, h, w)."""
        *layers, last = self.values()
        gathered = [x]
        for layer in layers:
            gathered.append(layer(gathered))
        bottleneck: Tensor = last(torch.cat(gathered, dim=1))
        return bottleneck


def _after_block_c(trunk: Any) -> int:
    trunk.block8, trunk.conv2d_7b = nn.Identity(), nn.Identity()
    return 2080


def _within_block_c(trunk: Any) -> int:
    _after_block_c(trunk)
    branch = trunk.repeat_2[8].branch0
    branch.bn.act = nn.Identity()
    trunk.repeat_2[8] = nn.Sequential(OrderedDict(branch0=branch))
    return 192


def _within_dense_block(trunk: Any) -> int:
    *whole, last = list(trunk.features.denseblock4.items())[:29]
    ends = nn.Sequential(OrderedDict((name, getattr(last[1], name)) for name in ("norm1", "conv1", "norm2")))
    trunk.features.denseblock4 = Bottleneck(OrderedDict([*whole, (last[0], ends)]))
    del trunk.features.norm5
    return 128


WITHIN: dict[str, dict[str, Callable[[Any], int]]] = {
    "inception_resnet_v2": {"repeat_2": _after_block_c, "repeat_2.8.branch0": _within_block_c},
    "densenet201": {"features.denseblock4.denselayer29.norm2": _within_dense_block},
}


def tap(name: str, stage: str | None, **options: Any) -> Place:
    """Build a backbone that ends with a stage of timm's, with a place of ``WITHIN`` or, for None, with its last grid.

    Raises
    ------
    ModelError
        It does not exist, does not take the options, or has no such place: lists those that it has.
    """
    within = WITHIN.get(name.partition(".")[0], {})
    if stage in within:
        trunk = backbone.build(name, num_classes=1, **options)
        before = set(trunk.state_dict())
        cast(Any, trunk).reset_classifier(0, "")
        width = within[stage](trunk)
        trunk.num_features = width  # type: ignore[assignment]
        return Place(trunk, frozenset(before - set(trunk.state_dict())), width, stage=None)
    if stage is None:
        trunk, dropped = stages.headless(name, **options)
        return Place(trunk, dropped, int(trunk.num_features), stage=None)  # type: ignore[arg-type]
    known = {found.name: found.width for found in stages.stages(backbone.on_meta(name, **options))}
    if stage not in known:
        raise ModelError(unknown("stage", stage, [*known, *within]))
    trunk, dropped = stages.headless(name, until=stage, **options)
    return Place(trunk, dropped, known[stage], stage=list(known).index(stage))


def grid(trunk: nn.Module, x: Images, *, stage: int | None) -> Tensor:
    """Give the tapped grid, (b, c, h, w), of a trunk and a stage that ``tap`` gave."""
    if stage is None:
        return backbone.grid(cast(Any, trunk).forward_features(x), trunk, image=(x.shape[2], x.shape[3]))
    return stages.run(trunk, x, (stage,))[1][0]
