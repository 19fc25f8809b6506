"""What every network of LesionLens is: features on a grid, a vector from them, class scores from that."""

from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from lesionlens.types import Output

MapScale = Literal["gate", "share", "flat"]


class Features(NamedTuple):
    """What a network computes before pooling.

    Attributes
    ----------
    grid
        Its last feature grid, (b, c, h, w), or timm's tokens.
    maps
        The attention maps that were asked for, by name.
    pooled
        What the head reads beside the grid, (b, f): earlier grids, pooled; None where there is nothing.
    crops
        How many rows of the grid, one after another, belong to one image.
    """

    grid: Tensor
    maps: dict[str, Tensor]
    pooled: Tensor | None = None
    crops: int = 1


class Classifier(nn.Module):
    """Images, or an image's crops, to ``Output`` in three steps, so that others can stand between them.

    An explanation stands after ``features``, crops are combined after ``embed``. A subclass gives ``features``,
    ``embed`` and ``score``; calling the model does all three.

    Attributes
    ----------
    trunk
        The backbone: what ImageNet weights are loaded into. Its keys are timm's.
    num_features
        Length f of the vector that ``embed`` gives.
    crops
        None: the network takes images (b, 3, h, w). A number n: it takes the n crops of each image at once,
        (b, n, 3, h, w).
    scale_gates
        Names of learnt scalars that switch a mechanism on (ARL's alpha, soft attention's gamma): not decayed.
    map_scale
        What the values of its maps are: ``gate``, from 0 to 1; ``share`` of a whole, as a softmax over places gives; or
        ``flat``, the same at every place.
    dropped
        Keys of the backbone that this network does without: left out of ImageNet weights.
    """

    trunk: nn.Module
    num_features: int
    crops: int | None = None
    scale_gates: tuple[str, ...] = ()
    map_scale: MapScale = "gate"
    dropped: frozenset[str] = frozenset()

    def features(self, x: Any, *, maps: bool = False) -> Features:
        """Give the last feature grid and, if asked for, the attention maps on their own grids."""
        raise NotImplementedError

    def embed(self, features: Features) -> Tensor:
        """Turn features into one vector an image, (b, f)."""
        raise NotImplementedError

    def score(self, embedded: Tensor) -> Tensor:
        """Turn vectors (b, f) into logits (b, k)."""
        raise NotImplementedError

    def classify(self, features: Features) -> Tensor:
        """Turn features into logits (b, k)."""
        return self.score(self.embed(features))

    def head_weight(self) -> Tensor | None:
        """Weight (k, c) of a head that is one linear layer on the averaged grid: what CAM needs; else None."""
        return None

    def remove_head(self) -> None:
        """Leave out the last layer, ``head``: another network scores the vectors, and ``score`` is not called again."""
        del self.head

    def forward(self, x: Any, *, maps: bool = False) -> Output:
        """Give logits (b, k) and, if asked for, maps."""
        features = self.features(x, maps=maps)
        return Output(logits=self.classify(features), maps=features.maps)
