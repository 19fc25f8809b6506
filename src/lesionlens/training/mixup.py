"""Mixup (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"): weighted means of pairs of images."""

from typing import NamedTuple

import torch
from torch import Tensor


class MixedBatch(NamedTuple):
    """Mixed images.

    Attributes
    ----------
    images
        Weighted means of the images and their partners, of the shape of the images.
    partner
        Index of the partner of each image, (b,).
    fraction
        Weight of the image, 0 to 1, the same for the batch; that of its partner is 1 - fraction.
    """

    images: Tensor
    partner: Tensor
    fraction: Tensor


def mixup(images: Tensor, alpha: float) -> MixedBatch:
    """Mix each image of a batch (b, ...) with another one, with a weight sampled from Beta(α, α).

    The loss is the mean of the losses for both labels with the same weights. Random numbers are torch's.
    """
    fraction = torch.distributions.Beta(alpha, alpha).sample().to(images)
    partner = torch.randperm(len(images)).to(images.device)
    return MixedBatch(torch.lerp(images[partner], images, fraction), partner, fraction)
