"""Pooled grids of several stages side by side: the networks of AttnMel without attention.

Source: Yan 2020, section 3.2: Mel-CNN pools pool3, pool4 and pool5; VGG-16-GAP pools the last grid only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lesionlens.models import stages
from lesionlens.models.backbone import start_small
from lesionlens.models.classifier import Classifier, Features
from lesionlens.types import Images


class Pyramid(Classifier):
    """A backbone whose head reads its last grid and those of earlier stages, each averaged over places.

    Parameters
    ----------
    name
        A timm model with stages.
    num_classes
        Number of classes k.
    taps
        Names of the earlier stages; by default those at a quarter and a half of the depth (a VGG's pool3 and pool4).
    options
        Further options of that timm model.

    Raises
    ------
    ModelError
        The backbone has no stages, or not these.
    """

    def __init__(
        self, name: str, *, num_classes: int, taps: Sequence[str] | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.trunk, self.dropped = stages.headless(name, **options)
        self._places = (
            stages.default_taps(self.trunk)
            if taps is None
            else tuple(sorted({stages.place(self.trunk, tap) for tap in taps}))
        )
        self.taps = tuple(stages.stages(self.trunk)[place] for place in self._places)
        self.width = int(self.trunk.num_features)  # type: ignore[arg-type]
        self.num_features = self.width + sum(tap.width for tap in self.taps)
        self.head = nn.Linear(self.num_features, num_classes)
        start_small(self.head)

    def features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last grid, and the averages of the earlier ones."""
        last, grids = stages.run(self.trunk, x, self._places)
        pooled = [grid.mean(dim=(2, 3)) for grid in grids]
        return Features(grid=last, maps={}, pooled=torch.cat(pooled, dim=1) if pooled else None)

    def embed(self, features: Features) -> Tensor:
        """Average the last grid and join what the earlier ones gave, (b, f)."""
        last = features.grid.mean(dim=(2, 3))
        return last if features.pooled is None else torch.cat([last, features.pooled], dim=1)

    def score(self, embedded: Tensor) -> Tensor:
        """Apply the linear layer."""
        logits: Tensor = self.head(embedded)
        return logits

    def head_weight(self) -> Tensor | None:
        """Weight (k, c) where only the last grid is read."""
        return None if self.taps else self.head.weight
