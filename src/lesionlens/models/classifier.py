"""What every network of LesionLens is: features on a grid, then class scores from them."""

from typing import NamedTuple

from torch import Tensor, nn

from lesionlens.types import Images, Output


class Features(NamedTuple):
    """The last feature grid of a network, (b, c, h, w), and the attention maps that were asked for."""

    grid: Tensor
    maps: dict[str, Tensor]


class Classifier(nn.Module):
    """Images to ``Output`` in two steps, so that an explanation can stand between them.

    A subclass gives ``features`` and ``classify``; calling the model does both.
    """

    attention_parameters: tuple[str, ...] = ()
    """Names of the parameters that a mechanism adds to its backbone: new in any ImageNet file."""

    def features(self, x: Images, *, maps: bool = False) -> Features:
        """Give the last feature grid and, if asked for, the attention maps on their own grids."""
        raise NotImplementedError

    def classify(self, grid: Tensor) -> Tensor:
        """Turn the feature grid (b, c, h, w) into logits (b, k)."""
        raise NotImplementedError

    def head_weight(self) -> Tensor | None:
        """Weight (k, c) of a head that is one linear layer on pooled features: what CAM needs; else None."""
        return None

    def forward(self, x: Images, *, maps: bool = False) -> Output:
        """Give logits (b, k) and, if asked for, maps (b, h, w)."""
        features = self.features(x, maps=maps)
        return Output(logits=self.classify(features.grid), maps=features.maps)
