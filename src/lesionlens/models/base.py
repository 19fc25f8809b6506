"""Interface of every classifier, and the classifier of a timm backbone without attention (the baseline)."""

from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.types import Images, ModelOutput

MapValueRange = Literal["unit_interval", "distribution", "constant"]


class Features(NamedTuple):
    """Features before pooling.

    Attributes
    ----------
    feature_map
        Last feature map, (b, c, h, w), or timm's tokens.
    maps
        Requested attention maps, by name.
    pooled
        Pooled earlier feature maps that the head reads in addition, (b, f); None if there are none.
    num_crops
        Number of consecutive rows of ``feature_map`` that belong to one image.
    """

    feature_map: Tensor
    maps: dict[str, Tensor]
    pooled: Tensor | None = None
    num_crops: int = 1


class Classifier(nn.Module):
    """Network from images, or the crops of images, to ``ModelOutput``, in three steps that can be called separately.

    The steps are ``forward_features``, ``pool`` and ``compute_logits``; a subclass implements the first two, and the
    third unless it is the linear layer of ``add_head``. An explanation takes gradients after the first, a network of
    crops combines the crops after the second.

    Attributes
    ----------
    backbone
        Network that ImageNet weights are loaded into; its state-dict keys are timm's.
    head
        Last layer, if ``add_head`` added one.
    num_features
        Length f of the vector that ``pool`` returns.
    num_crops
        Number n of crops that the network takes at once, (b, n, 3, h, w); None if it takes images (b, 3, h, w).
    attention_scales
        Names of the learned scalars that weight an attention mechanism (ARL's alpha, soft attention's gamma), which are
        excluded from weight decay.
    map_value_range
        Range of the values of the maps: ``unit_interval`` (a sigmoid gate), ``distribution`` (a softmax over
        positions) or ``constant`` (the same value at every position).
    discarded_keys
        Keys of the backbone that this network does not use, excluded from ImageNet weights.
    """

    backbone: nn.Module
    head: nn.Linear
    num_features: int
    num_crops: int | None = None
    attention_scales: tuple[str, ...] = ()
    map_value_range: MapValueRange = "unit_interval"
    discarded_keys: frozenset[str] = frozenset()

    def forward_features(self, x: Any, *, maps: bool = False) -> Features:
        """Return the last feature map and, if requested, the attention maps at their own resolution."""
        raise NotImplementedError

    def pool(self, features: Features) -> Tensor:
        """Pool features to one vector per image, (b, f)."""
        raise NotImplementedError

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Compute logits (b, k) from vectors (b, f) by the last layer."""
        logits: Tensor = self.head(pooled)
        return logits

    def forward_head(self, features: Features) -> Tensor:
        """Compute logits (b, k) from features."""
        return self.compute_logits(self.pool(features))

    def forward(self, x: Any, *, maps: bool = False) -> ModelOutput:
        """Return logits (b, k), the features that they are computed from and, if requested, attention maps."""
        features = self.forward_features(x, maps=maps)
        pooled = self.pool(features)
        return ModelOutput(logits=self.compute_logits(pooled), maps=features.maps, features=pooled)

    def linear_head_weight(self) -> Tensor | None:
        """Return the weight (k, c) of a head that is one linear layer on averaged features, otherwise None."""
        return None

    def add_head(self, num_classes: int) -> None:
        """Add the last layer, ``head``, from ``num_features`` to k logits that are nearly equal at first."""
        self.head = nn.Linear(self.num_features, num_classes)
        backbone.init_head_near_zero(self.head)

    def remove_head(self) -> None:
        """Remove the last layer, ``head``, for a network that computes logits from ``pool`` itself."""
        del self.head


class TimmClassifier(Classifier):
    """timm backbone with its own head.

    Parameters
    ----------
    name
        Name of a timm model, for example ``mobilenetv2_100``.
    num_classes
        Number of classes k.
    kwargs
        Further options of the timm model, for example ``pad_type="same"``.

    Raises
    ------
    ModelError
        The backbone does not exist, does not accept the options, or has two heads.
    """

    def __init__(self, name: str, *, num_classes: int, **kwargs: Any) -> None:
        super().__init__()
        self.backbone = backbone.create_backbone(name, num_classes=num_classes, **kwargs)
        if isinstance(self.backbone.get_classifier(), tuple):  # type: ignore[operator]
            raise ModelError(
                f"backbone {name!r} has a second head for distillation, so its logits are not a function of one "
                "vector. Use a backbone without it (for example deit_tiny_patch16_224), or an attention mechanism with "
                "its own head"
            )
        self.num_features = int(getattr(self.backbone, "head_hidden_size", 0) or self.backbone.num_features)  # type: ignore[arg-type]

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return timm's features unchanged (a feature map, or tokens); there are no attention maps."""
        return Features(feature_map=self.backbone.forward_features(x), maps={})  # type: ignore[operator]

    def pool(self, features: Features) -> Tensor:
        """Apply timm's pooling and its head except for the last layer."""
        pooled: Tensor = self.backbone.forward_head(features.feature_map, pre_logits=True)  # type: ignore[operator]
        return pooled

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Apply the last layer of timm's head."""
        logits: Tensor = self.backbone.get_classifier()(pooled)  # type: ignore[operator]
        return logits

    def linear_head_weight(self) -> Tensor | None:
        """Return the weight (k, c) if the head is one linear layer on averaged features, otherwise None."""
        return backbone.linear_head_weight(self.backbone)

    def remove_head(self) -> None:
        """Remove the last layer of timm's head."""
        self.backbone.reset_classifier(0)  # type: ignore[operator]
