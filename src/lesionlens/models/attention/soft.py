"""Soft attention: each of K heads spreads a weight of one over the places, and their sum scales the grid.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", equation 1 and figure 4.
Their public Keras layer computes something else than the text: see ``MODES``.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message

MODES = {
    "paper": "equation 1: all channels of 3 by 3 places, softmax, gamma",
    "authors": "their layer: a kernel as high as the grid has channels, on 3 of these; ReLU, softmax, no gamma",
}


class SoftAttentionOutput(NamedTuple):
    """What soft attention gives, and where it looked.

    Attributes
    ----------
    feature_map
        The attended grid: (b, c, h, w) from the unit; pooled and beside its input, (b, 2c, h', w'), from the block.
    map
        The heads' sum, (b, h, w): sums to K over the places; float32 or wider.
    heads
        The heads' maps, (b, K, h, w): each sums to 1 over the places; float32 or wider.
    """

    feature_map: Tensor
    map: Tensor
    heads: Tensor

    def named_maps(self) -> dict[str, Tensor]:
        """Name the maps, all (b, h, w): ``soft``, then ``soft head 1`` to ``soft head K``."""
        each = {f"soft head {n}": head for n, head in enumerate(self.heads.unbind(dim=1), 1)}
        return {"soft": self.map, **each}


class HeadwiseConv2d(nn.Conv2d):
    """What the authors' three-dimensional convolution comes to on a grid.

    They give (height, width, channels) to a layer that expects its kernel's axes in that order, but made the kernel
    as (channels, 3, 3). So it spans as many rows as the grid has channels, three columns, and, with a
    stride of all channels, only the first three of them. Weight (K, 3, c, 3).

    Parameters
    ----------
    channels
        Channels c of the grid, at least 3.
    heads
        Number of maps K.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(3, heads, (channels, 3))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b heads h w"]:
        """Convolve, with zeros around; rows of the kernel that would only ever see zeros are left out."""
        above = (self.weight.shape[2] - 1) // 2
        below = self.weight.shape[2] - 1 - above
        top, bottom = min(above, x.shape[2] - 1), min(below, x.shape[2] - 1)
        kernel = self.weight[:, :, above - top : above + bottom + 1]
        return F.conv2d(F.pad(x[:, :3], (1, 1, top, bottom)), kernel, self.bias)


class SoftAttention(nn.Module):
    """Scale each place of a grid by the weight that K heads give it (eq. 1).

    The kernel starts as He et al.'s uniform and the bias at zero, as in the authors' code; there are
    9 c K + K parameters, and gamma. A softmax over places does not see what is added to all of them: in the mode
    ``paper`` the bias changes nothing and has no gradient but rounding.

    Parameters
    ----------
    channels
        Channels c of the grid.
    heads
        Number of maps K: 16 in the paper.
    mode
        A key of ``MODES``.
    initial_gamma
        Where the learnt scale gamma starts (mode ``paper``): 0.01 in the paper.

    Raises
    ------
    ModelError
        The mode does not exist, or there is no head.

    Examples
    --------
    >>> found = SoftAttention(8, heads=2)(torch.rand(1, 8, 5, 5))
    >>> tuple(found.feature_map.shape), tuple(found.heads.shape), round(found.map.sum().item(), 4)
    ((1, 8, 5, 5), (1, 2, 5, 5), 2.0)
    """

    def __init__(
        self, channels: int, *, heads: int = 16, mode: str = "paper", initial_gamma: float = 0.01
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ModelError(unknown_name_message("mode", mode, MODES))
        if heads < 1:
            raise ModelError(f"heads={heads}: give the number of attention maps, 1 or more (16 in the paper)")
        paper = mode == "paper"
        self.conv = nn.Conv2d(channels, heads, 3, padding=1) if paper else HeadwiseConv2d(channels, heads)
        self.act = nn.Identity() if paper else nn.ReLU()
        self.gamma = nn.Parameter(torch.tensor(initial_gamma)) if paper else None
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "b c h w"]) -> SoftAttentionOutput:
        """Attend; softmax and sum are float32 even under autocast, the grid keeps its type."""
        scores = self.act(self.conv(x))
        wide = scores.flatten(2).to(torch.promote_types(scores.dtype, torch.float32))
        heads = wide.softmax(dim=2).reshape(scores.shape)
        unified = heads.sum(dim=1)
        scale = unified if self.gamma is None else self.gamma * unified
        return SoftAttentionOutput(feature_map=x * scale[:, None].to(x.dtype), map=unified, heads=heads)


class SoftAttentionBlock(nn.Module):
    """The unit in its place: a grid, halved, and beside it what was attended, halved too (figure 4).

    Parameters
    ----------
    channels
        Channels c of the grid; the block gives 2c.
    heads, mode, initial_gamma
        As for ``SoftAttention``.
    dropout
        Share of values that training sets to zero at the end: 0.5 in the paper.

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
            raise ModelError(f"dropout={dropout}: give a share from 0 to below 1 (0.5 in the paper)")
        self.attention = SoftAttention(channels, heads=heads, mode=mode, initial_gamma=initial_gamma)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b c h w"]) -> SoftAttentionOutput:
        """Attend, halve both grids (rounding up, so that one place stays one), join, rectify, drop out."""
        found: SoftAttentionOutput = self.attention(x)
        halves = [F.max_pool2d(grid, 2, 2, ceil_mode=True) for grid in (x, found.feature_map)]
        return found._replace(feature_map=self.dropout(F.relu(torch.cat(halves, dim=1))))
