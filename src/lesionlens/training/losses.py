"""The losses of AttnMel: hard images count more, and attention maps are drawn towards a lesion's outline.

Source: Yan 2020, "Attention-based Skin Lesion Recognition", section 2.2, and the authors' code where the thesis is
silent: the Dice term is taken over the whole batch at once, and masks are averaged, not sampled, to a map's grid.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from lesionlens.errors import ModelError, unknown

PRIOR_WEIGHTS: Mapping[str, float] = {"pool3": 0.001, "pool4": 0.01}  # lambda of each map


class AttentionLoss(NamedTuple):
    """What is minimised, and what it is made of.

    Attributes
    ----------
    total
        Focal loss plus each prior times its weight.
    focal
        The focal loss.
    priors
        Name of a map to its Dice prior before weighing.
    """

    total: Tensor
    focal: Tensor
    priors: dict[str, Tensor]


def focal(
    logits: Float[Tensor, "b k"], target: Int[Tensor, " b"], *, gamma: float = 2.0
) -> Float[Tensor, ""]:
    """Compute the mean of ``-(1 - p)^gamma * log p``, p the probability of the true class.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 4 (no class weights). ``gamma`` 0 is
    cross-entropy. Computed in float32 or wider.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    log_p = logits.log_softmax(dim=1, dtype=wide).gather(1, target[:, None])[:, 0]
    # 1 - p, kept from 0 where a power below 1 has no slope
    missed = (-torch.expm1(log_p)).clamp_min(torch.finfo(wide).tiny)
    return (-(missed**gamma) * log_p).mean()


def dice_prior(
    attention: Float[Tensor, "b h w"],
    masks: Shaped[Tensor, "b y x"],
    known: Bool[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Compute ``1 - 2 * sum(a * m) / sum(a + m)`` over all places of all images of a batch.

    Parameters
    ----------
    attention
        Maps a, 0 to 1.
    masks
        Lesion masks m, 0 to 1, of any grid: brought to that of the maps by adaptive average pooling, so that the
        places on an outline have values between.
    known
        Which images have a mask; the others are left out. None: all have.

    Returns
    -------
    prior
        From 0 (equal) to 1 (apart); 0 where no image has a mask.
    """
    if known is not None:
        attention, masks = attention[known], masks[known]
    if len(attention) == 0:
        return attention.new_zeros(())
    wide = torch.promote_types(attention.dtype, torch.float32)
    seen = attention.to(wide)
    wanted = F.adaptive_avg_pool2d(masks.to(wide), (seen.shape[1], seen.shape[2]))
    return 1 - 2 * (seen * wanted).sum() / (seen + wanted).sum()


def attention_loss(
    logits: Float[Tensor, "b k"],
    target: Int[Tensor, " b"],
    maps: Mapping[str, Tensor],
    masks: Shaped[Tensor, "b y x"],
    known: Bool[Tensor, " b"] | None = None,
    *,
    gamma: float = 2.0,
    weights: Mapping[str, float] = PRIOR_WEIGHTS,
) -> AttentionLoss:
    """Compute the focal loss plus ``weights[name]`` times the Dice prior of each map named there.

    Parameters
    ----------
    logits, target
        Scores and true classes.
    maps
        Name to attention map (b, h, w), as ``Output.maps``.
    masks, known
        As for ``dice_prior``.
    gamma
        As for ``focal``.
    weights
        Lambda of each map that has a prior; by default those of AttnMel on a VGG.

    Raises
    ------
    ModelError
        The network makes no map of that name.
    """
    for name in weights:
        if name not in maps:
            raise ModelError(unknown("attention map", name, maps))
    hard = focal(logits, target, gamma=gamma)
    priors = {name: dice_prior(maps[name], masks, known) for name in weights}
    total = hard + sum(weights[name] * prior for name, prior in priors.items())
    return AttentionLoss(total=total, focal=hard, priors=priors)
