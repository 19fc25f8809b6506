"""Attention residual learning in timm's residual networks.

Source: Zhang et al. 2019, Table I; the block is in ``arl_block``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from timm.models.resnet import ResNet
from torch import Tensor, nn

from lesionlens.attention.arl import get_normalization
from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.models.arl_block import BLOCKS, INITIAL_ALPHA, ARLBlockMixin
from lesionlens.models.classifier import Features, MapValueRange
from lesionlens.models.plain import TimmClassifier
from lesionlens.types import Images

MAP_VALUE_RANGES: Mapping[str, MapValueRange] = {
    "spatial": "share",
    "area": "share",
    "sigmoid": "gate",
    "channel": "flat",  # a map is the mean over channels, which sum to 1 at each place
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
    normalisation
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
        normalisation: str = "spatial",
        alpha: float = INITIAL_ALPHA,
        taps: Sequence[str] = STAGES,
        **kwargs: Any,
    ) -> None:
        get_normalization(normalisation)  # refuses an unknown one before anything is built
        super().__init__(name, num_classes=num_classes, block=_block_classes(name, taps), **kwargs)
        for _, block in self.arl_blocks():
            block.normalisation = normalisation
            nn.init.constant_(block.alpha, alpha)
        self.map_value_range = MAP_VALUE_RANGES[normalisation]
        self.attention_scales = tuple(f"trunk.{layer}.alpha" for layer, _ in self.arl_blocks())

    def stages(self) -> Iterator[tuple[str, nn.Sequential]]:
        """Give the four stages with their names."""
        for name, stage in zip(STAGES, _stage_modules(self.backbone), strict=True):
            yield name, cast(nn.Sequential, stage)

    def arl_blocks(self) -> Iterator[tuple[str, Any]]:
        """Give every block that attends with its name in the trunk, for example ``layer3.5``."""
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
