"""Classifiers on several stages of a backbone: AttnMel-CNN, and its baselines without attention.

Source: Yan 2020, "Attention-based Skin Lesion Recognition". Section 3.2: Mel-CNN pools pool3, pool4 and pool5;
VGG-16-GAP pools only the last feature map. Section 2.1 and figure 2.1: AttnMel-CNN is VGG-16 with gates at pool3 and
pool4, guided by pool5. Here the gates work on the stages of any backbone.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone as stages
from lesionlens.models.attention.attention_gate import AttentionGate
from lesionlens.models.base import Classifier, Features
from lesionlens.models.types import Images


class MultiStageClassifier(Classifier):
    """Backbone whose head reads the spatial averages of its last feature map and of earlier stages.

    Parameters
    ----------
    name
        Name of a timm model with stages.
    num_classes
        Number of classes k.
    taps
        Names of the earlier stages; default those at a quarter and a half of the depth (pool3 and pool4 of a VGG).
    kwargs
        Further options of the timm model.

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
        self.taps = tuple(stages.list_stages(self.backbone)[index] for index in self._tap_indices)
        self.channels = int(self.backbone.num_features)  # type: ignore[arg-type]
        self.num_features = self.channels + sum(tap.channels for tap in self.taps)
        self.add_head(num_classes)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map, and the averages of the earlier stages."""
        last, tapped = stages.forward_stages(self.backbone, x, self._tap_indices)
        pooled = [features.mean(dim=(2, 3)) for features in tapped]
        return Features(feature_map=last, maps={}, pooled=torch.cat(pooled, dim=1) if pooled else None)

    def pool(self, features: Features) -> Tensor:
        """Average the last feature map and append the pooled earlier stages, (b, f)."""
        last = features.feature_map.mean(dim=(2, 3))
        return last if features.pooled is None else torch.cat([last, features.pooled], dim=1)

    def linear_head_weight(self) -> Tensor | None:
        """Return the weight (k, c) if only the last feature map is read, otherwise None."""
        return None if self.taps else self.head.weight


class GatedClassifier(MultiStageClassifier):
    """Multi-stage classifier with an attention gate on each earlier stage.

    Parameters
    ----------
    name, num_classes, taps, kwargs
        As for ``MultiStageClassifier``.
    normalization
        Normalization of the gates: ``sigmoid`` (eq. 2.2) or ``softmax`` (an option of the authors' code).
    width
        Number of channels to which local and global features are projected, default 256.

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
                "attention=gate needs at least one earlier stage. Set taps, or use attention=multi-stage to classify "
                "by the last feature map only"
            )
        self.map_value_range = "distribution" if normalization == "softmax" else "unit_interval"
        self.gates = nn.ModuleList(
            AttentionGate(tap.channels, self.channels, hidden_channels=width, normalization=normalization)
            for tap in self.taps
        )

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map, the attended averages of the earlier stages and, if requested, their maps."""
        last, tapped = stages.forward_stages(self.backbone, x, self._tap_indices)
        outputs = [gate(features, last) for gate, features in zip(self.gates, tapped, strict=True)]
        attention_maps = {tap.name: output.map for tap, output in zip(self.taps, outputs, strict=True)}
        pooled = torch.cat([output.pooled for output in outputs], dim=1)
        return Features(feature_map=last, maps=attention_maps if maps else {}, pooled=pooled)
