"""Patch attention: the crops of an image look at one another, and each is scaled as a whole.

Source: Gessert et al. 2019, "Skin Lesion Classification Using CNNs with Patch-Based Attention and Diagnosis-Guided
Loss Weighting", section II-E, after squeeze-and-excitation (Hu et al. 2018) with crops in the place of channels. As in
the authors' code there is one layer, no bottleneck and no ReLU.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchAttentionOutput(NamedTuple):
    """The scaled crops, of the shape that came, and the weights (b, n) that scaled them."""

    crops: Tensor
    weights: Tensor


class PatchAttention(nn.Module):
    """Scale each of an image's crops by a weight between 0 and 1 that depends on all of them.

    A crop is seen as the average of all its values: of raw pixels its brightness, of a pooled vector its mean feature.

    Parameters
    ----------
    num_crops
        Number of crops n; the layer has n² + n parameters, started as PyTorch starts any linear layer.
    """

    def __init__(self, num_crops: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_crops, num_crops)

    def forward(self, crops: Float[Tensor, "b n *values"]) -> PatchAttentionOutput:
        """Give scaled crops and weights, for raw crops (b, n, 3, h, w) and for vectors (b, n, f) alike.

        The weights are computed in the layer's own precision, even under autocast.
        """
        with torch.autocast(crops.device.type, enabled=False):
            descriptors = crops.flatten(2).mean(dim=2, dtype=self.linear.weight.dtype)
            weights = self.linear(descriptors).sigmoid()
        per_crop = weights.reshape(*weights.shape, *[1] * (crops.ndim - 2))
        return PatchAttentionOutput(crops=crops * per_crop.to(crops.dtype), weights=weights)
