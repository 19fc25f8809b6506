"""Types of model inputs and outputs."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b 3 h w"]
Crops = Float[Tensor, "b n 3 h w"]
Logits = Float[Tensor, "b k"]
AttentionMap = Float[Tensor, "b h w"]


class ModelOutput(NamedTuple):
    """What a model says, and where it looked.

    Attributes
    ----------
    logits
        One score for each class before the softmax, (b, k).
    maps
        Name to attention map on its feature grid, (b, h, w); empty unless asked for. A network of crops gives one
        weight a crop, (b, n), and one map a crop, (b, n, h, w).
    """

    logits: Tensor
    maps: dict[str, Tensor]
