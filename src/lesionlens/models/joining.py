"""From the crops of an image to one row of scores: an average, or a recurrent layer.

Source: Gessert et al. 2019, section II-E, the baselines of patch attention; the recurrent layer's width is that of the
authors' code.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.models.backbone import init_head_near_zero
from lesionlens.types import Logits

GRU_HIDDEN_SIZE = 1024


def log_mean_softmax(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give logits whose softmax is the average of the crops' probabilities."""
    wide = torch.promote_types(logits.dtype, torch.float32)  # under autocast too
    return logits.log_softmax(dim=2, dtype=wide).logsumexp(dim=1) - math.log(logits.shape[1])


def mean_logits(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give the average of the crops' logits."""
    return logits.mean(dim=1)


CROP_AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": mean_logits,
    "probabilities": log_mean_softmax,
}


class GRUHead(nn.Module):
    """Read the crops' vectors one after another; the last state gives the scores.

    Parameters
    ----------
    num_features
        Length f of a crop's vector.
    num_classes
        Number of classes k.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.gru = nn.GRU(num_features, GRU_HIDDEN_SIZE, batch_first=True)
        self.head = nn.Linear(GRU_HIDDEN_SIZE, num_classes)
        init_head_near_zero(self.head)

    def forward(self, vectors: Float[Tensor, "b n f"]) -> Logits:
        """Give logits."""
        states, _ = self.gru(vectors)
        logits: Tensor = self.head(states[:, -1])
        return logits
