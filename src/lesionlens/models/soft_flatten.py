"""A head that reads a grid place by place, at any input size."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.errors import ModelError


class AdaptiveFlatten(nn.Module):
    """Lay a grid out as one vector: a grid of another size is first brought to the fixed one by averaging.

    The networks of Datta et al. 2021 flatten the grid that their input size gives, and so take no other size. Here
    any size works; at theirs nothing is averaged.

    Parameters
    ----------
    side
        Places s along a side of the fixed grid.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        if side < 1:
            raise ModelError(
                f"flatten={side}: give the places along a side of the grid that the head reads, 1 or more"
            )
        self.side = side

    def forward(self, feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Give (b, c·s·s)."""
        size = (self.side, self.side)
        fixed = feature_map if tuple(feature_map.shape[2:]) == size else F.adaptive_avg_pool2d(feature_map, size)
        return fixed.flatten(1)
