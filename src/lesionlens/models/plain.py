"""Any timm backbone as it is: the baseline of every comparison."""

from typing import Any

from torch import Tensor

from lesionlens.models import backbone
from lesionlens.models.classifier import Classifier, Features
from lesionlens.types import Images


class Plain(Classifier):
    """A timm backbone with its own head.

    Parameters
    ----------
    name
        A timm model, for example ``mobilenetv2_100``.
    num_classes
        Number of classes k.
    options
        Further options of that timm model, for example ``pad_type="same"``.
    """

    def __init__(self, name: str, *, num_classes: int, **options: Any) -> None:
        super().__init__()
        self.trunk = backbone.build(name, num_classes=num_classes, **options)

    def features(self, x: Images, *, maps: bool = False) -> Features:
        """Give timm's features as they come (a grid, or tokens); a plain network has no maps of its own."""
        return Features(grid=self.trunk.forward_features(x), maps={})  # type: ignore[operator]

    def classify(self, grid: Tensor) -> Tensor:
        """Apply timm's pooling and head to what ``features`` gave."""
        logits: Tensor = self.trunk.forward_head(grid)  # type: ignore[operator]
        return logits

    def head_weight(self) -> Tensor | None:
        """Weight (k, c) where the head is one linear layer on averaged features."""
        return backbone.linear_head(self.trunk)
