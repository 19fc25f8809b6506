"""What a network minimises: a loss with the weights of classes and images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionlens.data.balance import class_weights
from lesionlens.data.confirmation import diagnosis_confirmation_weights
from lesionlens.errors import RecipeError, unknown_name_message
from lesionlens.training.losses import per_sample_loss, weighted_mean
from lesionlens.training.train_recipe import TrainRecipe


class ClassificationLoss(nn.Module):
    """The classification loss of a recipe.

    Parameters
    ----------
    recipe
        Its loss and weights.
    class_weight
        Of each class, (k,); None: all 1.
    multilabel
        As for ``Task``.
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
        self.register_buffer("of_class", held, persistent=False)

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
    return _values_by_class("train.copies", recipe.class_repeats, classes).astype(np.int64)[targets]


def _values_by_class(key: str, values: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    for name in values:
        if name not in classes:
            raise RecipeError(unknown_name_message(f"class in {key}", name, classes))
    return np.array([values.get(name, 1) for name in classes], dtype=np.float64)
