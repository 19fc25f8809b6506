"""Any timm backbone as it is: the baseline of every comparison."""

from typing import Any

from torch import Tensor

from lesionlens.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.classifier import Classifier, Features
from lesionlens.types import Images


class TimmClassifier(Classifier):
    """A timm backbone with its own head.

    Parameters
    ----------
    name
        A timm model, for example ``mobilenetv2_100``.
    num_classes
        Number of classes k.
    kwargs
        Further options of that timm model, for example ``pad_type="same"``.

    Raises
    ------
    ModelError
        The backbone does not exist, does not take the options, or has two heads.
    """

    def __init__(self, name: str, *, num_classes: int, **kwargs: Any) -> None:
        super().__init__()
        self.backbone = backbone.create_backbone(name, num_classes=num_classes, **kwargs)
        if isinstance(self.backbone.get_classifier(), tuple):  # type: ignore[operator]
            raise ModelError(
                f"backbone {name!r} has two heads, one for distillation: its scores are no function of one vector. "
                "Take a network without it (deit_tiny_patch16_224, say), or a mechanism with a head of its own"
            )
        self.num_features = int(getattr(self.backbone, "head_hidden_size", 0) or self.backbone.num_features)  # type: ignore[arg-type]

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Give timm's features as they come (a grid, or tokens); a plain network has no maps of its own."""
        return Features(feature_map=self.backbone.forward_features(x), maps={})  # type: ignore[operator]

    def pool(self, features: Features) -> Tensor:
        """Apply timm's pooling, and all of its head but the last layer."""
        embedded: Tensor = self.backbone.forward_head(features.feature_map, pre_logits=True)  # type: ignore[operator]
        return embedded

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Apply the last layer of timm's head."""
        logits: Tensor = self.backbone.get_classifier()(pooled)  # type: ignore[operator]
        return logits

    def remove_head(self) -> None:
        """Leave out the last layer of timm's head."""
        self.backbone.reset_classifier(0)  # type: ignore[operator]

    def linear_head_weight(self) -> Tensor | None:
        """Weight (k, c) where the head is one linear layer on averaged features."""
        return backbone.linear_head_weight(self.backbone)
