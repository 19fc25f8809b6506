"""Attention residual learning in timm's residual networks.

Source: Zhang et al. 2019, Table I and equation 9. The paper is silent on two points; as in its residual networks
we put the ReLU after the sum and use the projected shortcut for both identity and attention where the shape changes.
The mask uses F(x) after the last batch norm (and after squeeze-and-excitation, where the backbone has it).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from lesionlens.attention.arl import NORMALISATIONS, Attended, attend
from lesionlens.errors import ModelError, unknown
from lesionlens.models import backbone
from lesionlens.models.classifier import Features, MapScale
from lesionlens.models.plain import Plain
from lesionlens.types import Images

INITIAL_ALPHA = 0.001  # section IV.B
MAP_SCALES: Mapping[str, MapScale] = {
    "spatial": "share",
    "area": "share",
    "sigmoid": "gate",
    "channel": "flat",  # a map is the mean over channels, which sum to 1 at each place
}
STAGES = ("layer1", "layer2", "layer3", "layer4")  # timm's names


class _Attending:
    """What both kinds of block share: the scale gate, and equation 9 in place of ``x + F(x)``."""

    normalisation = "spatial"

    def add_gate(self) -> None:
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def residual(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def attend(self, x: Tensor) -> Attended:
        """Give the block's output after its ReLU, and its mask (b, c, h, w)."""
        block = cast(Any, self)
        added = self.residual(x)
        added = block.se(added) if block.se is not None else added
        added = block.drop_path(added) if block.drop_path is not None else added
        identity = x if block.downsample is None else block.downsample(x)
        summed, mask = attend(identity, added, self.alpha, normalisation=self.normalisation)
        return Attended(features=self.last_relu(summed), mask=mask)

    def last_relu(self, summed: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x).features


class ARLBasicBlock(_Attending, BasicBlock):
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


class ARLBottleneck(_Attending, Bottleneck):
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


_ATTENDING = {BasicBlock: ARLBasicBlock, Bottleneck: ARLBottleneck}


class ARL(Plain):
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
    options
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
        **options: Any,
    ) -> None:
        if normalisation not in NORMALISATIONS:
            raise ModelError(unknown("normalisation", normalisation, NORMALISATIONS))
        super().__init__(name, num_classes=num_classes, block=_blocks_for(name, taps), **options)
        for _, block in self.attending():
            block.normalisation = normalisation
            nn.init.constant_(block.alpha, alpha)
        self.map_scale = MAP_SCALES[normalisation]
        self.scale_gates = tuple(f"trunk.{layer}.alpha" for layer, _ in self.attending())

    def stages(self) -> Iterator[tuple[str, nn.Sequential]]:
        """Give the four stages with their names."""
        for name, stage in zip(STAGES, _stages(self.trunk), strict=True):
            yield name, cast(nn.Sequential, stage)

    def attending(self) -> Iterator[tuple[str, Any]]:
        """Give every block that attends with its name in the trunk, for example ``layer3.5``."""
        for name, stage in self.stages():
            for number, block in enumerate(stage):
                if isinstance(block, _Attending):
                    yield f"{name}.{number}", block

    def alphas(self) -> dict[str, float]:
        """Give the learnt scale gate of every block (the curves of Fig. 7)."""
        return {name: float(block.alpha.detach()) for name, block in self.attending()}

    def features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid and, if asked for, the mask of each stage's last block, averaged over channels."""
        trunk = cast(Any, self.trunk)
        x = trunk.maxpool(trunk.act1(trunk.bn1(trunk.conv1(x))))
        looked: dict[str, Tensor] = {}
        for name, stage in self.stages():
            x, last = stage[:-1](x), stage[-1]
            if not isinstance(last, _Attending):
                x = last(x)
                continue
            attended = last.attend(x)
            x = attended.features
            if maps:
                looked[name] = attended.mask.mean(dim=1)
        return Features(grid=x, maps=looked)


def _blocks_for(name: str, taps: Sequence[str]) -> Any:
    """Find the block of each stage: an attending one where it was asked for; one class where all are the same."""
    for tap in taps:
        if tap not in STAGES:
            raise ModelError(unknown("stage", tap, STAGES))
    model = backbone.on_meta(name)
    stages = _stages(model) if isinstance(model, ResNet) else []
    made_of: list[type[nn.Module]] = [type(cast(Any, stage)[0]) for stage in stages]
    if not made_of or not set(made_of) <= set(_ATTENDING):
        raise ModelError(
            f"attention residual learning needs blocks that compute x + F(x); {name!r} has none that it knows. "
            f"{backbone.RESIDUAL}"
        )
    blocks = [_ATTENDING[k] if stage in taps else k for stage, k in zip(STAGES, made_of, strict=True)]
    return blocks[0] if len(set(blocks)) == 1 else blocks


def _stages(trunk: nn.Module) -> list[nn.Module]:
    return [getattr(trunk, name) for name in STAGES]
