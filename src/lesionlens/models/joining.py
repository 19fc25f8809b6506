"""From the crops of an image to one row of scores: an average, or a recurrent layer.

Source: Gessert et al. 2019, section II-E, the baselines of patch attention; the recurrent layer's width is that of the
authors' code.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.models.backbone import start_small
from lesionlens.types import Logits

RECURRENT_WIDTH = 1024


def log_of_mean_probabilities(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give logits whose softmax is the average of the crops' probabilities."""
    wide = torch.promote_types(logits.dtype, torch.float32)  # under autocast too
    return logits.log_softmax(dim=2, dtype=wide).logsumexp(dim=1) - math.log(logits.shape[1])


def mean_logits(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give the average of the crops' logits."""
    return logits.mean(dim=1)


AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": mean_logits,
    "probabilities": log_of_mean_probabilities,
}


class Recurrent(nn.Module):
    """Read the crops' vectors one after another; the last state gives the scores.

    Parameters
    ----------
    width
        Length f of a crop's vector.
    num_classes
        Number of classes k.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, RECURRENT_WIDTH, batch_first=True)
        self.head = nn.Linear(RECURRENT_WIDTH, num_classes)
        start_small(self.head)

    def forward(self, vectors: Float[Tensor, "b n f"]) -> Logits:
        """Give logits."""
        states, _ = self.gru(vectors)
        logits: Tensor = self.head(states[:, -1])
        return logits
