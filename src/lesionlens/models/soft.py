"""Soft attention on a grid of any backbone.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", sections 3.2 and 3.3.
"""

from typing import Any

from torch import Tensor, nn

from lesionlens.attention.soft import SoftAttentionBlock
from lesionlens.models import soft_places as places
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.classifier import Classifier, Features
from lesionlens.models.soft_flatten import AdaptiveFlatten
from lesionlens.types import Images


class SoftAttentionNet(Classifier):
    """A backbone up to one grid, the soft-attention block on it, and one linear layer.

    The networks of the paper: ``resnet50`` as it is; ``inception_resnet_v2`` with ``stage="repeat_2"`` and
    ``flatten=4``; ``densenet201`` with ``flatten=4``. Those of the authors' code: ``mode="authors"``, and for the
    last two ``stage="repeat_2.8.branch0"`` and ``stage="features.denseblock4.denselayer29.norm2"``. For ISIC 2017:
    ``stage="repeat_1", flatten=6`` and ``stage="repeat_2", flatten=3`` at 224 pixels. ``soft_places`` says why.

    Parameters
    ----------
    name
        A timm model with stages.
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

    map_value_range = "share"

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
        place = places.truncate_at(name, stage, **kwargs)
        self.backbone, self.discarded_keys, self._stage_index = place.backbone, place.discarded_keys, place.stage_index
        self.soft = SoftAttentionBlock(
            place.channels, heads=heads, mode=mode, dropout=dropout, initial_gamma=initial_gamma
        )
        self.attention_scales = tuple(key for key, _ in self.named_parameters() if key == "soft.attention.gamma")
        self.flatten = None if flatten is None else AdaptiveFlatten(flatten)
        self.num_features = 2 * place.channels * (flatten or 1) ** 2
        self.head = nn.Linear(self.num_features, num_classes)
        init_head_near_zero(self.head)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the block's grid, (b, 2c, h', w'), and, if asked for, its maps on the grid that it attends to."""
        found = self.soft(places.forward_to_tap(self.backbone, x, stage_index=self._stage_index))
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
