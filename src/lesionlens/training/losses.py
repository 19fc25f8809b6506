"""Losses as pure functions: of each image, their weighted mean, and the Dice term of an attention prior.

Sources: Lin et al. 2017, "Focal Loss for Dense Object Detection"; Yan 2020, sections 2.3 and 2.4, and the authors'
code where the thesis is silent: masks are averaged, not sampled, to a map's grid. The Dice term is taken over the
whole batch at once.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.data.sample_weights import diagnosis_confirmation_weights
from lesionlens.data.sampler import class_weights
from lesionlens.runs.schema import TrainRecipe

LossReduction = Literal["weight_sum", "batch_size"]


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
        What the weighted sum is divided by. ``weight_sum``: that of the weights, as ``torch.nn.CrossEntropyLoss`` does,
        so that a batch of rare classes counts no more than another; ``batch_size``: their number, so that it does.
    """
    whole = weights.sum() if normalize_by == "weight_sum" else weights.new_tensor(len(weights))
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


class ClassificationLoss(nn.Module):
    """The classification loss of a recipe.

    Parameters
    ----------
    recipe
        Its loss and weights.
    class_weight
        Of each class, (k,); None: all 1.
    multilabel
        As for ``ClassificationTask``.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        recipe: TrainRecipe,
        *,
        class_weight: NDArray[np.float64] | None = None,
        multilabel: bool = False,
    ) -> None:
        super().__init__()
        self.gamma = recipe.focal_gamma if recipe.loss == "focal" else 0.0
        self.normalize_by, self.multilabel = recipe.loss_reduction, multilabel
        held = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer("class_weight", held, persistent=False)

    def forward(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Give the loss of a batch: logits (b, k), classes (b,), weight of each image (b,) or None."""
        each = per_sample_loss(logits, target, gamma=self.gamma, multilabel=self.multilabel)
        weights = torch.ones_like(each) if sample_weight is None else sample_weight.to(each)
        if self.class_weight is not None:
            weights = weights * self.class_weight[target]
        mean: Tensor = weighted_mean(each, weights, normalize_by=self.normalize_by)
        return mean

    def from_probabilities(self, probabilities: Tensor, target: Tensor) -> Tensor:
        """Give the loss of averaged probabilities, (b, k); finite, however sure and wrong one is."""
        least = torch.finfo(probabilities.dtype).eps  # nearer to 1 than that is 1 itself
        logits = probabilities.logit(eps=least) if self.multilabel else probabilities.clamp_min(1e-12).log()
        mean: Tensor = self(logits, target)
        return mean


def compute_class_weights(
    recipe: TrainRecipe, counts: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.float64] | None:
    """Give the weight of each class in the loss: by power of its frequency times by name; None where there are none.

    Raises
    ------
    RecipeError
        A class is named that the task does not have.
    """
    if recipe.class_weight_power is None and not recipe.class_weights:
        return None
    by_power = np.ones(len(classes))
    if recipe.class_weight_power is not None:
        by_power = class_weights(counts, power=recipe.class_weight_power)
    return by_power * _values_by_class("train.class_weights", recipe.class_weights, classes)


def compute_sample_weights(recipe: TrainRecipe, rows: pd.DataFrame) -> NDArray[np.float32] | None:
    """Give the weight of each image in the loss by how its diagnosis was made, (n,); None where there are none.

    Raises
    ------
    DataError
        No image's method is known.
    """
    if recipe.confirmation_weights is None:
        return None
    return diagnosis_confirmation_weights(
        rows["diagnosis_method"].tolist(), rows["diagnosis"].tolist(), recipe.confirmation_weights
    )


def repeat_factors(
    recipe: TrainRecipe, targets: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.int64] | None:
    """Say how often each image is in the list, (n,); None where there are no copies.

    Raises
    ------
    RecipeError
        A class is named that the task does not have.
    """
    if not recipe.class_repeats:
        return None
    return _values_by_class("train.class_repeats", recipe.class_repeats, classes).astype(np.int64)[targets]


def _values_by_class(key: str, values: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    for name in values:
        if name not in classes:
            raise RecipeError(unknown_name_message(f"class in {key}", name, classes))
    return np.array([values.get(name, 1) for name in classes], dtype=np.float64)
