"""Attention gates: a deep, global feature map weights the positions of an earlier, local one.

Source: Yan 2020, "Attention-based Skin Lesion Recognition" (and Yan, Kawahara and Hamarneh, IPMI 2019), section 2.2,
equations 2.1 to 2.3. The softmax map is that of Jetley et al. 2018, "Learn to Pay Attention".
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message


class GateOutput(NamedTuple):
    """Output and map of a gate.

    Attributes
    ----------
    pooled
        Attended local features, averaged or summed over positions, (b, c).
    map
        Attention map, (b, h, w), float32 or float64.
    """

    pooled: Tensor
    map: Tensor


def _spatial_softmax(scores: Tensor) -> Tensor:
    return scores.flatten(1).softmax(dim=1).reshape(scores.shape)


GATE_NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,  # eq. 2.2, elementwise
    "softmax": _spatial_softmax,  # sums to 1 over positions
}


class AttentionGate(nn.Module):
    """Weight each position of a local feature map by its compatibility with the global one.

    Two 1 by 1 convolutions without bias project both feature maps to the same number of channels. The global one is
    then upsampled bilinearly to the size of the local one, and a further 1 by 1 convolution computes a score from the
    ReLU of their sum (eq. 2.1). With the sigmoid the weighted features are averaged over positions, with the softmax
    they are summed.

    Parameters
    ----------
    local_channels, global_channels
        Channels of the two feature maps.
    hidden_channels
        Channels of both after projection, default 256 as in the authors' code.
    normalization
        Normalization of the scores: ``sigmoid`` (eq. 2.2) or ``softmax``.

    Raises
    ------
    ModelError
        The normalization does not exist.
    """

    def __init__(
        self,
        local_channels: int,
        global_channels: int,
        *,
        hidden_channels: int = 256,
        normalization: str = "sigmoid",
    ) -> None:
        super().__init__()
        if normalization not in GATE_NORMALIZATIONS:
            raise ModelError(unknown_name_message("normalization", normalization, GATE_NORMALIZATIONS))
        self.normalization = normalization
        self.W_l = nn.Conv2d(local_channels, hidden_channels, 1, bias=False)
        self.W_g = nn.Conv2d(global_channels, hidden_channels, 1, bias=False)
        self.phi = nn.Conv2d(hidden_channels, 1, 1)
        for layer in (self.W_l, self.W_g, self.phi):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # "He's initialization", section 3.1
        nn.init.zeros_(self.phi.bias)  # type: ignore[arg-type]

    def forward(self, local: Float[Tensor, "b c h w"], guide: Float[Tensor, "b g i j"]) -> GateOutput:
        """Return the pooled, attended local features and the map; the normalization is float32 under autocast."""
        size = (local.shape[2], local.shape[3])
        upsampled = F.interpolate(self.W_g(guide), size=size, mode="bilinear", align_corners=False)
        scores = self.phi(F.relu(self.W_l(local) + upsampled))[:, 0]
        attention = GATE_NORMALIZATIONS[self.normalization](
            scores.to(torch.promote_types(scores.dtype, torch.float32))
        )
        attended = local * attention[:, None].to(local.dtype)
        pool = attended.mean if self.normalization == "sigmoid" else attended.sum
        return GateOutput(pooled=pool(dim=(2, 3)), map=attention)
