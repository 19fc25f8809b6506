"""What a network minimises: a loss with the weights of classes and images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionlens.data.balance import class_weights
from lesionlens.data.confirmation import confirmation_weights
from lesionlens.errors import RecipeError, unknown
from lesionlens.training.losses import per_image, weighted_mean
from lesionlens.training.train_recipe import TrainRecipe


class Objective(nn.Module):
    """The classification loss of a recipe.

    Parameters
    ----------
    recipe
        Its loss and weights.
    weights
        Of each class, (k,); None: all 1.
    independent
        As for ``Task``.
    """

    of_class: Tensor | None

    def __init__(
        self,
        recipe: TrainRecipe,
        *,
        weights: NDArray[np.float64] | None = None,
        independent: bool = False,
    ) -> None:
        super().__init__()
        self.gamma = recipe.gamma if recipe.loss == "focal" else 0.0
        self.over, self.independent = recipe.weighted_mean, independent
        held = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("of_class", held, persistent=False)

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the loss of a batch: logits (b, k), classes (b,), weight of each image (b,) or None."""
        each = per_image(logits, target, gamma=self.gamma, independent=self.independent)
        weights = torch.ones_like(each) if weight is None else weight.to(each)
        if self.of_class is not None:
            weights = weights * self.of_class[target]
        mean: Tensor = weighted_mean(each, weights, over=self.over)
        return mean

    def of_scores(self, scores: Tensor, target: Tensor) -> Tensor:
        """Give the loss of averaged probabilities, (b, k); finite, however sure and wrong one is."""
        least = torch.finfo(scores.dtype).eps  # nearer to 1 than that is 1 itself
        logits = scores.logit(eps=least) if self.independent else scores.clamp_min(1e-12).log()
        mean: Tensor = self(logits, target)
        return mean


def weights_of_classes(
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
    return by_power * _by_name("train.class_weights", recipe.class_weights, classes)


def weights_of_images(recipe: TrainRecipe, rows: pd.DataFrame) -> NDArray[np.float32] | None:
    """Give the weight of each image in the loss by how its diagnosis was made, (n,); None where there are none.

    Raises
    ------
    DataError
        No image's method is known.
    """
    if recipe.diagnosis_weights is None:
        return None
    return confirmation_weights(
        rows["diagnosis_method"].tolist(), rows["diagnosis"].tolist(), recipe.diagnosis_weights
    )


def copies_of_images(
    recipe: TrainRecipe, targets: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.int64] | None:
    """Say how often each image is in the list, (n,); None where there are no copies.

    Raises
    ------
    RecipeError
        A class is named that the task does not have.
    """
    if not recipe.copies:
        return None
    return _by_name("train.copies", recipe.copies, classes).astype(np.int64)[targets]


def _by_name(key: str, values: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    for name in values:
        if name not in classes:
            raise RecipeError(unknown(f"class in {key}", name, classes))
    return np.array([values.get(name, 1) for name in classes], dtype=np.float64)
