"""Attention gates on the stages of any backbone, guided by its last grid.

Source: Yan 2020, "Attention-based Skin Lesion Recognition", section 2.1 and figure 2.1: AttnMel-CNN is VGG-16 with
gates at pool3 and pool4, guided by pool5.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lesionlens.attention.gate import AttentionGate
from lesionlens.errors import ModelError
from lesionlens.models import stages
from lesionlens.models.classifier import Features
from lesionlens.models.pyramid import MultiStageClassifier
from lesionlens.types import Images


class GatedClassifier(MultiStageClassifier):
    """A pyramid whose earlier stages are seen through attention gates.

    Parameters
    ----------
    name, num_classes, taps, kwargs
        As for ``Pyramid``.
    normalisation
        ``sigmoid`` (eq. 2.2) or ``softmax`` (an option of the authors' code).
    channels
        Channels in which local and global features meet.

    Raises
    ------
    ModelError
        The backbone has no stages, or not these; the normalisation does not exist.
    """

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        taps: Sequence[str] | None = None,
        normalisation: str = "sigmoid",
        width: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, num_classes=num_classes, taps=taps, **kwargs)
        if not self.taps:
            raise ModelError(
                "gates need a stage to stand at: give taps, or attention=pyramid for the last grid alone"
            )
        self.map_value_range = "share" if normalisation == "softmax" else "gate"
        self.gates = nn.ModuleList(
            AttentionGate(tap.channels, self.channels, hidden_channels=width, normalization=normalisation)
            for tap in self.taps
        )

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid, the attended averages of the earlier ones and, if asked for, their maps."""
        last, grids = stages.forward_stages(self.backbone, x, self._tap_indices)
        gated = [gate(grid, last) for gate, grid in zip(self.gates, grids, strict=True)]
        looked = {tap.name: found.map for tap, found in zip(self.taps, gated, strict=True)}
        pooled = torch.cat([found.pooled for found in gated], dim=1)
        return Features(feature_map=last, maps=looked if maps else {}, pooled=pooled)
