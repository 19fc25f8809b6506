"""Losses as pure functions: of each image, their weighted mean, and the Dice term of an attention prior.

Sources: Lin et al. 2017, "Focal Loss for Dense Object Detection"; Yan 2020, sections 2.3 and 2.4, and the authors'
code where the thesis is silent: masks are averaged, not sampled, to a map's grid. The Dice term is taken over the
whole batch at once.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

LossReduction = Literal["weights", "images"]


def per_sample_loss(
    logits: Float[Tensor, "b k"],
    target: Int[Tensor, " b"],
    *,
    gamma: float = 0.0,
    multilabel: bool = False,
) -> Float[Tensor, " b"]:
    """Compute ``-(1 - p)^gamma * log p`` for each image, p the probability of the truth.

    Parameters
    ----------
    logits
        Scores before softmax or sigmoid.
    target
        The true class; of independent scores 0 is none of them, and 1 the first.
    gamma
        0 is cross-entropy, above it the focal loss (Lin et al. 2017, equation 4), in float32 or wider.
    multilabel
        Each score has a sigmoid of its own; the loss is the mean over them.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if multilabel:
        asked = torch.arange(1, wide.shape[1] + 1, device=target.device)
        log_p = F.logsigmoid(torch.where(target[:, None] == asked, wide, -wide))
    else:
        log_p = wide.log_softmax(dim=1).gather(1, target[:, None])
    if gamma == 0:
        return -log_p.mean(dim=1)
    # 1 - p, kept from 0 where a power below 1 has no slope
    missed = (-torch.expm1(log_p)).clamp_min(torch.finfo(wide.dtype).tiny)
    return (-(missed**gamma) * log_p).mean(dim=1)


def weighted_mean(
    losses: Float[Tensor, " b"], weights: Float[Tensor, " b"], *, normalize_by: LossReduction
) -> Float[Tensor, ""]:
    """Average the losses of a batch by weight.

    Parameters
    ----------
    normalize_by
        What the weighted sum is divided by. ``weights``: their sum, as ``torch.nn.CrossEntropyLoss`` does, so that a
        batch of rare classes counts no more than another; ``images``: their number, so that it does.
    """
    whole = weights.sum() if normalize_by == "weights" else weights.new_tensor(len(weights))
    return (losses * weights).sum() / whole


def attention_dice_loss(
    attention: Float[Tensor, "b h w"],
    masks: Shaped[Tensor, "b y x"],
    has_mask: Bool[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Compute ``1 - 2 * sum(a * m) / sum(a + m)`` over all places of all images of a batch.

    Parameters
    ----------
    attention
        Maps a, 0 to 1.
    masks
        Lesion masks m, 0 to 1, of any grid: brought to that of the maps by adaptive average pooling, so that the
        places on an outline have values between.
    has_mask
        Which images have a mask; the others are left out. None: all have.

    Returns
    -------
    prior
        From 0 (equal) to 1 (apart); 0 where no image has a mask.
    """
    if has_mask is not None:
        attention, masks = attention[has_mask], masks[has_mask]
    if len(attention) == 0:
        return attention.new_zeros(())
    wide = torch.promote_types(attention.dtype, torch.float32)
    seen = attention.to(wide)
    wanted = F.adaptive_avg_pool2d(masks.to(wide), (seen.shape[1], seen.shape[2]))
    return 1 - 2 * (seen * wanted).sum() / (seen + wanted).sum()
