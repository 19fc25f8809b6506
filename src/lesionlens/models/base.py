"""What every network of LesionLens is: features on a grid, a vector from them, class scores from that."""

from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.types import Images, ModelOutput

MapValueRange = Literal["unit_interval", "distribution", "constant"]


class Features(NamedTuple):
    """What a network computes before pooling.

    Attributes
    ----------
    feature_map
        Its last feature grid, (b, c, h, w), or timm's tokens.
    maps
        The attention maps that were asked for, by name.
    pooled
        What the head reads beside the grid, (b, f): earlier grids, pooled; None where there is nothing.
    num_crops
        How many rows of the grid, one after another, belong to one image.
    """

    feature_map: Tensor
    maps: dict[str, Tensor]
    pooled: Tensor | None = None
    num_crops: int = 1


class Classifier(nn.Module):
    """Images, or an image's crops, to ``ModelOutput`` in three steps, so that others can stand between them.

    An explanation stands after ``forward_features``, crops are combined after ``pool``. A subclass gives
    ``forward_features``, ``pool`` and ``compute_logits``; calling the model does all three.

    Attributes
    ----------
    backbone
        The backbone: what ImageNet weights are loaded into. Its keys are timm's.
    num_features
        Length f of the vector that ``pool`` gives.
    num_crops
        None: the network takes images (b, 3, h, w). A number n: it takes the n crops of each image at once,
        (b, n, 3, h, w).
    attention_scales
        Names of learnt scalars that switch a mechanism on (ARL's alpha, soft attention's gamma): not decayed.
    map_value_range
        What the values of its maps are: in the ``unit_interval``, as a gate gives; a ``distribution``, as a softmax
        over places gives; or ``constant``, the same at every place.
    discarded_keys
        Keys of the backbone that this network does without: left out of ImageNet weights.
    """

    backbone: nn.Module
    num_features: int
    num_crops: int | None = None
    attention_scales: tuple[str, ...] = ()
    map_value_range: MapValueRange = "unit_interval"
    discarded_keys: frozenset[str] = frozenset()

    def forward_features(self, x: Any, *, maps: bool = False) -> Features:
        """Give the last feature grid and, if asked for, the attention maps on their own grids."""
        raise NotImplementedError

    def pool(self, features: Features) -> Tensor:
        """Turn features into one vector an image, (b, f)."""
        raise NotImplementedError

    def compute_logits(self, pooled: Tensor) -> Tensor:
        """Turn vectors (b, f) into logits (b, k)."""
        raise NotImplementedError

    def forward_head(self, features: Features) -> Tensor:
        """Turn features into logits (b, k)."""
        return self.compute_logits(self.pool(features))

    def linear_head_weight(self) -> Tensor | None:
        """Weight (k, c) of a head that is one linear layer on the averaged grid: what CAM needs; else None."""
        return None

    def remove_head(self) -> None:
        """Leave out the last layer, ``head``: ``compute_logits`` is not called again, others score the vectors."""
        del self.head

    def forward(self, x: Any, *, maps: bool = False) -> ModelOutput:
        """Give logits (b, k) and, if asked for, maps."""
        features = self.forward_features(x, maps=maps)
        return ModelOutput(logits=self.forward_head(features), maps=features.maps)


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
