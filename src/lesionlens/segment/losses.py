"""The loss of masks: binary cross-entropy of each pixel and soft Dice of each image, added."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def bce_dice_loss(logits: Float[Tensor, "b h w"], masks: Bool[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Add mean cross-entropy and 1 − mean soft Dice, ``2 Σpy / (Σp + Σy)`` (Milletari et al. 2016, with p, not p²).

    One pixel is added to both sides of the fraction, so that an empty mask has a slope too.
    """
    truth = masks.float()
    p = logits.sigmoid()
    dice = (2 * (p * truth).sum(dim=(1, 2)) + 1) / (p.sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - dice.mean()
