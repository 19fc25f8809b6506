"""Pooled grids of several stages side by side: AttnMel, and its networks without attention.

Source: Yan 2020, section 3.2: Mel-CNN pools pool3, pool4 and pool5; VGG-16-GAP pools the last grid only. Section 2.1
and figure 2.1: AttnMel-CNN is VGG-16 with gates at pool3 and pool4, guided by pool5.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone as stages
from lesionlens.models.attention.attention_gate import AttentionGate
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.base import Classifier, Features
from lesionlens.models.types import Images


class MultiStageClassifier(Classifier):
    """A backbone whose head reads its last grid and those of earlier stages, each averaged over places.

    Parameters
    ----------
    name
        A timm model with stages.
    num_classes
        Number of classes k.
    taps
        Names of the earlier stages; by default those at a quarter and a half of the depth (a VGG's pool3 and pool4).
    kwargs
        Further options of that timm model.

    Raises
    ------
    ModelError
        The backbone has no stages, or not these.
    """

    def __init__(
        self, name: str, *, num_classes: int, taps: Sequence[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self.backbone, self.discarded_keys = stages.truncated_backbone(name, **kwargs)
        self._tap_indices = (
            stages.default_taps(self.backbone)
            if taps is None
            else tuple(sorted({stages.stage_index(self.backbone, tap) for tap in taps}))
        )
        self.taps = tuple(stages.list_stages(self.backbone)[place] for place in self._tap_indices)
        self.channels = int(self.backbone.num_features)  # type: ignore[arg-type]
        self.num_features = self.channels + sum(tap.channels for tap in self.taps)
        self.head = nn.Linear(self.num_features, num_classes)
        init_head_near_zero(self.head)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid, and the averages of the earlier ones."""
        last, grids = stages.forward_stages(self.backbone, x, self._tap_indices)
        pooled = [grid.mean(dim=(2, 3)) for grid in grids]
        return Features(feature_map=last, maps={}, pooled=torch.cat(pooled, dim=1) if pooled else None)

    def pool(self, features: Features) -> Tensor:
        """Average the last grid and join what the earlier ones gave, (b, f)."""
        last = features.feature_map.mean(dim=(2, 3))
        return last if features.pooled is None else torch.cat([last, features.pooled], dim=1)

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Apply the linear layer."""
        logits: Tensor = self.head(pooled)
        return logits

    def linear_head_weight(self) -> Tensor | None:
        """Weight (k, c) where only the last grid is read."""
        return None if self.taps else self.head.weight


class GatedClassifier(MultiStageClassifier):
    """A multi-stage network whose earlier stages are seen through attention gates.

    Parameters
    ----------
    name, num_classes, taps, kwargs
        As for ``MultiStageClassifier``.
    normalization
        ``sigmoid`` (eq. 2.2) or ``softmax`` (an option of the authors' code).
    width
        Channels in which local and global features meet.

    Raises
    ------
    ModelError
        The backbone has no stages, or not these; the normalization does not exist.
    """

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        taps: Sequence[str] | None = None,
        normalization: str = "sigmoid",
        width: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, num_classes=num_classes, taps=taps, **kwargs)
        if not self.taps:
            raise ModelError(
                "gates need a stage to stand at: give taps, or attention=multi-stage for the last grid alone"
            )
        self.map_value_range = "distribution" if normalization == "softmax" else "unit_interval"
        self.gates = nn.ModuleList(
            AttentionGate(tap.channels, self.channels, hidden_channels=width, normalization=normalization)
            for tap in self.taps
        )

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid, the attended averages of the earlier ones and, if asked for, their maps."""
        last, grids = stages.forward_stages(self.backbone, x, self._tap_indices)
        gated = [gate(grid, last) for gate, grid in zip(self.gates, grids, strict=True)]
        looked = {tap.name: found.map for tap, found in zip(self.taps, gated, strict=True)}
        pooled = torch.cat([found.pooled for found in gated], dim=1)
        return Features(feature_map=last, maps=looked if maps else {}, pooled=pooled)
