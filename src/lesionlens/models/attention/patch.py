"""Patch attention: the crops of an image attend to one another, and each is scaled by one weight.

Source: Gessert et al. 2019, "Skin Lesion Classification Using CNNs with Patch-Based Attention and Diagnosis-Guided
Loss Weighting", section II-E, which applies squeeze-and-excitation (Hu et al. 2018) to crops instead of channels. As
in the authors' code there is one layer, no bottleneck and no ReLU.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchAttentionOutput(NamedTuple):
    """Scaled crops and their weights.

    Attributes
    ----------
    crops
        Scaled crops, of the shape of the input.
    weights
        Weight of each crop, (b, n).
    """

    crops: Tensor
    weights: Tensor


class PatchAttention(nn.Module):
    """Scale each crop of an image by a weight between 0 and 1 that depends on all of them.

    A crop is described by the mean of all its values: for raw pixels its brightness, for a pooled vector its mean
    feature.

    Parameters
    ----------
    num_crops
        Number of crops n; the layer has n² + n parameters with PyTorch's default initialization of a linear layer.
    """

    def __init__(self, num_crops: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_crops, num_crops)

    def forward(self, crops: Float[Tensor, "b n *values"]) -> PatchAttentionOutput:
        """Scale raw crops (b, n, 3, h, w) or vectors (b, n, f); return them with the weights.

        The weights are computed in the precision of the layer, even under autocast.
        """
        with torch.autocast(crops.device.type, enabled=False):
            descriptors = crops.flatten(2).mean(dim=2, dtype=self.linear.weight.dtype)
            weights = self.linear(descriptors).sigmoid()
        per_crop = weights.reshape(*weights.shape, *[1] * (crops.ndim - 2))
        return PatchAttentionOutput(crops=crops * per_crop.to(crops.dtype), weights=weights)
