"""Types of model inputs and outputs."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b 3 h w"]
Crops = Float[Tensor, "b n 3 h w"]
Logits = Float[Tensor, "b k"]


class ModelOutput(NamedTuple):
    """Logits, attention maps and features of a batch.

    Attributes
    ----------
    logits
        Logit of each class, (b, k).
    maps
        Attention maps by name, (b, h, w) at the resolution of their feature maps; empty unless requested. A network of
        crops returns one weight per crop, (b, n), and one map per crop, (b, n, h, w).
    features
        Vector of each image from which the last layer computes the logits, (b, f), by which images that are unlike the
        training data are detected. A network of crops returns the average over its crops.
    """

    logits: Tensor
    maps: dict[str, Tensor]
    features: Tensor
