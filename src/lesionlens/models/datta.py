"""The networks that Datta et al. 2021 train from scratch: a ResNet34 and a VGG16 of their own, with soft attention.

Source: their sections 3.3.3 and 3.3.4 and figures 5b and 8. The paper says that all five backbones are trained on
ImageNet; for these two there are no such weights. What the networks without attention looked like is not published:
here the block is left out, and the grid halved where it stood. As in their code, kernels start as He et al.'s normal
(VGG16) or Glorot and Bengio's uniform (ResNet34, hidden layers); the last layer starts near zero, as everywhere here.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from lesionlens.attention.soft import SoftAttentionBlock
from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.classifier import Classifier, Features
from lesionlens.models.datta_trunks import SamePadMaxPool2d, SplitBackbone, resnet34, vgg16
from lesionlens.models.soft_flatten import AdaptiveFlatten
from lesionlens.types import Images

VGG_HIDDEN_UNITS = 4096  # units of each of VGG16's two hidden layers


class DattaNet(Classifier):
    """One of the two networks, without attention.

    Parameters
    ----------
    name
        ``datta_resnet34`` or ``datta_vgg16``.
    num_classes
        Number of classes k.

    kwargs
        None: these networks are what they are.

    Raises
    ------
    ModelError
        There is no such network, or it does not take an option.
    """

    _concat_factor = 1  # channels that the second half takes, for each that the first gives

    def __init__(self, name: str, *, num_classes: int, **kwargs: Any) -> None:
        super().__init__()
        if name not in DATTA_BACKBONES:
            raise ModelError(unknown_name_message("network", name, DATTA_BACKBONES))
        if kwargs:
            raise ModelError(
                f"{name} takes no options here, but came with {', '.join(sorted(kwargs))}. Without attention allowed "
                "are none; with attention=soft: dropout, heads, initial_gamma, mode"
            )
        self.backbone: SplitBackbone = DATTA_BACKBONES[name](self._concat_factor)
        self.neck = _hidden_layers(self.backbone.num_features) if name == "datta_vgg16" else None
        self.num_features = self.backbone.num_features if self.neck is None else VGG_HIDDEN_UNITS
        self.head = nn.Linear(self.num_features, num_classes)
        init_head_near_zero(self.head)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid; there are no maps."""
        halved = F.max_pool2d(self.backbone.stem(x), 2, 2, ceil_mode=True)
        return Features(feature_map=self.backbone.body(halved), maps={})

    def pool(self, features: Features) -> Tensor:
        """Average the grid (ResNet34), or pool it by 4, lay it out and apply the hidden layers (VGG16), (b, f)."""
        grid = features.feature_map
        embedded: Tensor = grid.mean(dim=(2, 3)) if self.neck is None else self.neck(grid)
        return embedded

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Apply the last layer."""
        logits: Tensor = self.head(pooled)
        return logits

    def linear_head_weight(self) -> Tensor | None:
        """Weight (k, c) where the grid is averaged."""
        return self.head.weight if self.neck is None else None


class DattaSoftAttentionNet(DattaNet):
    """One of the two networks, with the soft-attention block between its halves.

    Parameters
    ----------
    name, num_classes, kwargs
        As for ``Datta``.
    heads, mode, dropout, initial_gamma
        As for ``SoftAttentionBlock``.

    Raises
    ------
    ModelError
        There is no such network or mode, or it does not take an option.
    """

    _concat_factor = 2

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        heads: int = 16,
        mode: str = "paper",
        dropout: float = 0.5,
        initial_gamma: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, num_classes=num_classes, **kwargs)
        self.soft = SoftAttentionBlock(
            self.backbone.channels, heads=heads, mode=mode, dropout=dropout, initial_gamma=initial_gamma
        )
        self.attention_scales = tuple(key for key, _ in self.named_parameters() if key == "soft.attention.gamma")

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid and, if asked for, the maps of the block on the grid that it attends to."""
        found = self.soft(self.backbone.stem(x))
        return Features(feature_map=self.backbone.body(found.feature_map), maps=found.named_maps() if maps else {})


DATTA_BACKBONES: dict[str, Callable[[int], SplitBackbone]] = {"datta_resnet34": resnet34, "datta_vgg16": vgg16}


def _hidden_layers(in_channels: int) -> nn.Sequential:
    first, second = nn.Linear(16 * in_channels, VGG_HIDDEN_UNITS), nn.Linear(VGG_HIDDEN_UNITS, VGG_HIDDEN_UNITS)
    for layer in (first, second):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(SamePadMaxPool2d(4, 4), AdaptiveFlatten(4), first, nn.ReLU(), second, nn.ReLU())
