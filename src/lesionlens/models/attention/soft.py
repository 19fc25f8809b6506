"""Soft attention: each of K heads distributes a weight of one over all positions; their sum scales the feature map.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", equation 1 and figure 4.
Their public Keras layer differs from the text: see ``MODES``.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message

MODES = {
    "paper": "equation 1: a 3 by 3 kernel on all channels, softmax, gamma",
    "authors": "their layer: a kernel as high as the number of channels, on 3 of these; ReLU, softmax, no gamma",
    "uniform": "a control that is not in the paper: the same weight for all positions, gamma",
}


class SoftAttentionOutput(NamedTuple):
    """Output and maps of soft attention.

    Attributes
    ----------
    feature_map
        Attended feature map: (b, c, h, w) from ``SoftAttention``; pooled and concatenated with the pooled input,
        (b, 2c, h', w'), from ``SoftAttentionBlock``.
    map
        Sum of the heads' maps, (b, h, w), which sums to K over positions; float32 or float64.
    heads
        Map of each head, (b, K, h, w), which sums to 1 over positions; float32 or float64.
    """

    feature_map: Tensor
    map: Tensor
    heads: Tensor

    def named_maps(self) -> dict[str, Tensor]:
        """Return the maps by name, all (b, h, w): ``soft``, then ``soft head 1`` to ``soft head K``."""
        head_maps = {f"soft head {n}": head for n, head in enumerate(self.heads.unbind(dim=1), 1)}
        return {"soft": self.map, **head_maps}


class HeadwiseConv2d(nn.Conv2d):
    """Two-dimensional equivalent of the authors' three-dimensional convolution.

    They pass (height, width, channels) to a layer that expects the axes of its kernel in that order, but define the
    kernel as (channels, 3, 3). The kernel therefore spans as many rows as there are channels, three columns and, with
    a stride of all channels, only the first three of them. Weight (K, 3, c, 3).

    Parameters
    ----------
    channels
        Channels c of the feature map, at least 3.
    heads
        Number of maps K.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(3, heads, (channels, 3))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b heads h w"]:
        """Convolve with zero padding; kernel rows that would always multiply zeros are skipped."""
        above = (self.weight.shape[2] - 1) // 2
        below = self.weight.shape[2] - 1 - above
        top, bottom = min(above, x.shape[2] - 1), min(below, x.shape[2] - 1)
        kernel = self.weight[:, :, above - top : above + bottom + 1]
        return F.conv2d(F.pad(x[:, :3], (1, 1, top, bottom)), kernel, self.bias)


class SoftAttention(nn.Module):
    """Scale each position of a feature map by the weight that K heads assign to it (eq. 1).

    The kernel is initialized with He et al.'s uniform distribution and the bias with zeros, as in the authors' code;
    there are 9 c K + K parameters, and gamma. A softmax over positions does not change if a constant is added to all
    of them: in the mode ``paper`` the bias has no effect, and no gradient except for rounding.

    Parameters
    ----------
    channels
        Channels c of the feature map.
    heads
        Number of maps K, default 16 as in the paper.
    mode
        Key of ``MODES``, default ``paper``.
    initial_gamma
        Initial value of the learnable scale gamma (modes ``paper`` and ``uniform``), default 0.01 as in the paper.

    Raises
    ------
    ModelError
        The mode does not exist, or there is no head.

    Examples
    --------
    >>> output = SoftAttention(8, heads=2)(torch.rand(1, 8, 5, 5))
    >>> tuple(output.feature_map.shape), tuple(output.heads.shape), round(output.map.sum().item(), 4)
    ((1, 8, 5, 5), (1, 2, 5, 5), 2.0)
    """

    def __init__(
        self, channels: int, *, heads: int = 16, mode: str = "paper", initial_gamma: float = 0.01
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ModelError(unknown_name_message("mode", mode, MODES))
        if heads < 1:
            raise ModelError(
                f"heads={heads} is not allowed. Set the number of attention maps, 1 or more (16 in the paper)"
            )
        self.heads = heads
        self.conv = _make_score_conv(channels, heads, mode)
        self.act = nn.ReLU() if mode == "authors" else nn.Identity()
        self.gamma = None if mode == "authors" else nn.Parameter(torch.tensor(initial_gamma))

    def forward(self, x: Float[Tensor, "b c h w"]) -> SoftAttentionOutput:
        """Attend; softmax and sum are float32 even under autocast, the feature map keeps its dtype."""
        heads = self._head_maps(x)
        summed = heads.sum(dim=1)
        scale = summed if self.gamma is None else self.gamma * summed
        return SoftAttentionOutput(feature_map=x * scale[:, None].to(x.dtype), map=summed, heads=heads)

    def _head_maps(self, x: Tensor) -> Tensor:
        """Return the map of each head, (b, K, h, w)."""
        if self.conv is None:
            b, _, h, w = x.shape
            wide = torch.promote_types(x.dtype, torch.float32)
            return torch.full((b, self.heads, h, w), 1 / (h * w), dtype=wide, device=x.device)
        scores = self.act(self.conv(x))
        flat = scores.flatten(2).to(torch.promote_types(scores.dtype, torch.float32))
        maps: Tensor = flat.softmax(dim=2).reshape(scores.shape)
        return maps


def _make_score_conv(channels: int, heads: int, mode: str) -> nn.Conv2d | None:
    """Build the convolution that computes the scores of the heads; None for uniform maps."""
    if mode == "uniform":
        return None
    conv = nn.Conv2d(channels, heads, 3, padding=1) if mode == "paper" else HeadwiseConv2d(channels, heads)
    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class SoftAttentionBlock(nn.Module):
    """Soft attention with its surroundings: input and attended feature map are pooled by 2 and concatenated (figure 4).

    Parameters
    ----------
    channels
        Channels c of the feature map; the block returns 2c.
    heads, mode, initial_gamma
        As for ``SoftAttention``.
    dropout
        Dropout probability at the end of the block, default 0.5 as in the paper.

    Raises
    ------
    ModelError
        The mode does not exist, or a number is not allowed.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 16,
        mode: str = "paper",
        dropout: float = 0.5,
        initial_gamma: float = 0.01,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ModelError(
                f"dropout={dropout} is not allowed. Set a probability from 0 to below 1 (0.5 in the paper)"
            )
        self.attention = SoftAttention(channels, heads=heads, mode=mode, initial_gamma=initial_gamma)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b c h w"]) -> SoftAttentionOutput:
        """Attend, pool both feature maps by 2 (sizes round up, so 1 stays 1), concatenate, apply ReLU and dropout."""
        output: SoftAttentionOutput = self.attention(x)
        pooled = [F.max_pool2d(features, 2, 2, ceil_mode=True) for features in (x, output.feature_map)]
        return output._replace(feature_map=self.dropout(F.relu(torch.cat(pooled, dim=1))))
