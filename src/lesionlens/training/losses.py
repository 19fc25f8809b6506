"""Losses: cross-entropy and focal loss, weights of classes and images, and the Dice loss of attention maps.

Sources: Lin et al. 2017, "Focal Loss for Dense Object Detection"; Yan 2020, sections 2.3 and 2.4. Details that the
thesis does not state follow the authors' code: masks are averaged over the cells of a map, not sampled, and the Dice
loss is computed over the complete batch at once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
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
from lesionlens.imaging.stitching import CellAxis, CellGrid, cell_weights
from lesionlens.runs.train_schema import TrainRecipe

LossReduction = Literal["weight_sum", "batch_size"]


def per_sample_loss(
    logits: Float[Tensor, "b k"],
    target: Int[Tensor, " b"],
    *,
    gamma: float = 0.0,
    smoothing: float = 0.0,
    multilabel: bool = False,
) -> Float[Tensor, " b"]:
    """Compute ``-(1 - p)^gamma * log p`` for each image, with p the probability of the true class.

    Parameters
    ----------
    logits
        Logits of k classes.
    target
        Index of the true class. With ``multilabel``, 0 means none of the classes, and 1 is the first class.
    gamma
        0: cross-entropy; above 0: focal loss (Lin et al. 2017, equation 4). Computed in float32 or wider.
    smoothing
        Label smoothing ε of the cross-entropy, as in ``torch.nn.CrossEntropyLoss``: the true label has the weight
        1 - ε, and ε is distributed evenly over all classes (with ``multilabel``, over both outcomes of each class).
    multilabel
        Whether each class has an independent sigmoid; the loss is then the mean over the classes.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if multilabel:
        labels = torch.arange(1, logits.shape[1] + 1, device=target.device)
        signed = torch.where(target[:, None] == labels, logits, -logits)
        outcomes = torch.stack([F.logsigmoid(signed), F.logsigmoid(-signed)])
        log_p, mean_log_p = outcomes[0], outcomes.mean(dim=0)
    else:
        outcomes = logits.log_softmax(dim=1)
        log_p, mean_log_p = outcomes.gather(1, target[:, None]), outcomes.mean(dim=1, keepdim=True)
    if smoothing:
        log_p = torch.lerp(log_p, mean_log_p, smoothing)
    if gamma == 0:
        return -log_p.mean(dim=1)
    # 1 - p, clamped above 0, where a power below 1 has no finite gradient
    one_minus_p = (-torch.expm1(log_p)).clamp_min(torch.finfo(logits.dtype).tiny)
    return (-(one_minus_p**gamma) * log_p).mean(dim=1)


def weighted_mean(
    losses: Float[Tensor, " b"], weights: Float[Tensor, " b"], *, normalize_by: LossReduction
) -> Float[Tensor, ""]:
    """Average the losses of a batch by weight.

    Parameters
    ----------
    losses
        Loss of each image.
    weights
        Weight of each image.
    normalize_by
        Divisor of the weighted sum. ``weight_sum``: sum of the weights, as in ``torch.nn.CrossEntropyLoss``, so that a
        batch of rare classes counts no more than another one; ``batch_size``: number of images, so that it does.
    """
    divisor = weights.sum() if normalize_by == "weight_sum" else weights.new_tensor(len(weights))
    return (losses * weights).sum() / divisor


def attention_dice_loss(
    attention: Float[Tensor, "b h w"],
    masks: Shaped[Tensor, "b y x"],
    has_mask: Bool[Tensor, " b"] | None = None,
    grid: CellGrid | None = None,
) -> Float[Tensor, ""]:
    """Compute the Dice loss ``1 - 2 * sum(a * m) / sum(a + m)`` over all pixels of all images of a batch.

    Parameters
    ----------
    attention
        Attention maps a, 0 to 1.
    masks
        Lesion masks m, 0 to 1, of any size: averaged over the cells of the maps, so that cells on an outline have
        intermediate values.
    has_mask
        Whether each image has a mask; images without one are ignored. None: all images have one.
    grid
        Centers of the cells; default: an even grid, by adaptive average pooling.

    Returns
    -------
    loss
        From 0 (equal) to 1 (disjoint); 0 if no image has a mask.
    """
    if has_mask is not None:
        attention, masks = attention[has_mask], masks[has_mask]
    if len(attention) == 0:
        return attention.new_zeros(())
    dtype = torch.promote_types(attention.dtype, torch.float32)
    attention = attention.to(dtype)
    target = _average_over_cells(masks.to(dtype), (attention.shape[1], attention.shape[2]), grid)
    return 1 - 2 * (attention * target).sum() / (attention + target).sum()


def _average_over_cells(
    masks: Float[Tensor, "b y x"], size: tuple[int, int], grid: CellGrid | None
) -> Float[Tensor, "b h w"]:
    if grid is None:
        return F.adaptive_avg_pool2d(masks, size)
    rows, columns = (
        _cell_weights(axis, cells, pixels, masks.dtype, masks.device)
        for axis, cells, pixels in zip(grid, size, masks.shape[1:], strict=True)
    )
    with torch.autocast(masks.device.type, enabled=False):  # products in single precision
        return rows @ masks @ columns.T


@lru_cache
def _cell_weights(
    axis: CellAxis, num_cells: int, num_pixels: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    return torch.as_tensor(cell_weights(axis, num_cells, num_pixels), dtype=dtype, device=device)


class ClassificationLoss(nn.Module):
    """Classification loss of a recipe.

    Parameters
    ----------
    recipe
        Section ``train`` of the recipe.
    class_weight
        Weight of each class, (k,); None: all 1.
    multilabel
        Whether classes have independent scores, as in ``ClassificationTask``.
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
        self.smoothing = recipe.label_smoothing
        self.normalize_by, self.multilabel = recipe.loss_reduction, multilabel
        weight = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer("class_weight", weight, persistent=False)

    def forward(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        logits
            Logits of k classes, (b, k).
        target
            Index of the true class, (b,).
        sample_weight
            Weight of each image, (b,); None: all 1.
        """
        return self._mean_loss(logits, target, sample_weight, smoothing=self.smoothing)

    def _mean_loss(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None, *, smoothing: float
    ) -> Tensor:
        losses = per_sample_loss(
            logits, target, gamma=self.gamma, smoothing=smoothing, multilabel=self.multilabel
        )
        weights = torch.ones_like(losses) if sample_weight is None else sample_weight.to(losses)
        if self.class_weight is not None:
            weights = weights * self.class_weight[target]
        mean: Tensor = weighted_mean(losses, weights, normalize_by=self.normalize_by)
        return mean

    def from_probabilities(self, probabilities: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of averaged probabilities, (b, k), without label smoothing.

        It is finite even for a probability of 0 of the true class.
        """
        eps = torch.finfo(probabilities.dtype).eps  # a value closer to 1 is equal to 1
        logits = probabilities.logit(eps=eps) if self.multilabel else probabilities.clamp_min(1e-12).log()
        return self._mean_loss(logits, target, None, smoothing=0.0)


def compute_class_weights(
    recipe: TrainRecipe, counts: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.float64] | None:
    """Return the loss weight of each class, (k,): by class frequency times by name; None if the recipe has none.

    Raises
    ------
    RecipeError
        The recipe names a class that the task does not have.
    """
    if recipe.class_weight_power is None and not recipe.class_weights:
        return None
    by_frequency = np.ones(len(classes))
    if recipe.class_weight_power is not None:
        by_frequency = class_weights(counts, power=recipe.class_weight_power)
    return by_frequency * _values_by_class("train.class_weights", recipe.class_weights, classes)


def compute_sample_weights(recipe: TrainRecipe, rows: pd.DataFrame) -> NDArray[np.float32] | None:
    """Return the loss weight of each image by how its diagnosis was confirmed, (n,); None if the recipe has none.

    Raises
    ------
    DataError
        The confirmation of no image is known.
    """
    if recipe.confirmation_weights is None:
        return None
    return diagnosis_confirmation_weights(
        rows["diagnosis_method"].tolist(), rows["diagnosis"].tolist(), recipe.confirmation_weights
    )


def repeat_factors(
    recipe: TrainRecipe, targets: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.int64] | None:
    """Return how often each image is repeated per epoch, (n,); None if the recipe repeats none.

    Raises
    ------
    RecipeError
        The recipe names a class that the task does not have.
    """
    if not recipe.class_repeats:
        return None
    return _values_by_class("train.class_repeats", recipe.class_repeats, classes).astype(np.int64)[targets]


def _values_by_class(key: str, values: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    for name in values:
        if name not in classes:
            raise RecipeError(unknown_name_message(f"class in {key}", name, classes))
    return np.array([values.get(name, 1) for name in classes], dtype=np.float64)
