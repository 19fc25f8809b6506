"""Attention gates: a deep, global feature grid says which places of an earlier, local one matter.

Source: Yan 2020, "Attention-based Skin Lesion Recognition" (and Yan, Kawahara and Hamarneh, IPMI 2019), section 2.2,
equations 2.1 to 2.3. The softmax map is that of Jetley et al. 2018, "Learn to Pay Attention".
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.errors import ModelError, unknown


class Gated(NamedTuple):
    """The attended grid pooled over its places, (b, c), and the map, (b, h, w)."""

    pooled: Tensor
    map: Tensor


def _softmax(scores: Tensor) -> Tensor:
    return scores.flatten(1).softmax(dim=1).reshape(scores.shape)


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,  # eq. 2.2, each place by itself
    "softmax": _softmax,  # sums to 1 over the places
}


class AttentionGate(nn.Module):
    """Weigh each place of a local grid by how it fits the global one.

    Both grids are brought to the same width by 1 by 1 convolutions without bias, the global one is then enlarged
    bilinearly to the local one's size, and one 1 by 1 convolution turns the rectified sum into a score (eq. 2.1).
    With the sigmoid the weighted places are averaged, with the softmax they are summed.

    Parameters
    ----------
    local_width, global_width
        Channels of the two grids.
    width
        Channels in which they meet: 256 in the authors' code.
    normalisation
        ``sigmoid`` (eq. 2.2) or ``softmax``.

    Raises
    ------
    ModelError
        The normalisation does not exist.
    """

    def __init__(
        self, local_width: int, global_width: int, *, width: int = 256, normalisation: str = "sigmoid"
    ) -> None:
        super().__init__()
        if normalisation not in NORMALISATIONS:
            raise ModelError(unknown("normalisation", normalisation, NORMALISATIONS))
        self.normalisation = normalisation
        self.W_l = nn.Conv2d(local_width, width, 1, bias=False)
        self.W_g = nn.Conv2d(global_width, width, 1, bias=False)
        self.phi = nn.Conv2d(width, 1, 1)
        for layer in (self.W_l, self.W_g, self.phi):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # "He's initialization", section 3.1
        nn.init.zeros_(self.phi.bias)  # type: ignore[arg-type]

    def forward(self, local: Float[Tensor, "b c h w"], guide: Float[Tensor, "b g i j"]) -> Gated:
        """Give the pooled, attended local grid and the map; softmax and sum are float32 under autocast."""
        size = (local.shape[2], local.shape[3])
        enlarged = F.interpolate(self.W_g(guide), size=size, mode="bilinear", align_corners=False)
        scores = self.phi(F.relu(self.W_l(local) + enlarged))[:, 0]
        attention = NORMALISATIONS[self.normalisation](
            scores.to(torch.promote_types(scores.dtype, torch.float32))
        )
        attended = local * attention[:, None].to(local.dtype)
        pool = attended.mean if self.normalisation == "sigmoid" else attended.sum
        return Gated(pooled=pool(dim=(2, 3)), map=attention)
