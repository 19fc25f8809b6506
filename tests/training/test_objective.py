"""What is minimised: against torch, against Gessert's two normalisations written out, and by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.data.sampler import class_weights
from lesionlens.core.errors import RecipeError
from lesionlens.training.losses import ClassificationLoss, repeat_factors, compute_class_weights
from lesionlens.runs.schema import TrainRecipe

HAM = np.array([1113, 6705, 514, 327, 1099, 115, 142])
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")


@pytest.fixture
def scored() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 7, generator=generator), torch.tensor([0, 1, 1, 4, 6, 2])


@pytest.mark.parametrize("power", [0.5, 0.75, 1.0, 1.25, 1.5])
def test_divided_by_the_weights_it_is_torchs(scored: tuple[Tensor, Tensor], power: float) -> None:
    recipe = TrainRecipe(class_weight_power=power)
    weights = compute_class_weights(recipe, HAM, CLASSES)
    expected = F.cross_entropy(*scored, weight=torch.tensor(class_weights(HAM, power=power)).float())
    torch.testing.assert_close(ClassificationLoss(recipe, class_weight=weights)(*scored), expected)


def test_divided_by_the_images_it_is_the_plain_mean_of_weighted_losses(scored: tuple[Tensor, Tensor]) -> None:
    recipe = TrainRecipe(class_weight_power=1, loss_reduction="images")
    of_image = torch.tensor([4.0, 1.0, 2.0, 3.0, 1.0, 4.0])
    weights = compute_class_weights(recipe, HAM, CLASSES)
    each = F.cross_entropy(*scored, reduction="none")
    expected = (each * torch.tensor(HAM.sum() / HAM)[scored[1]].float() * of_image).mean()
    torch.testing.assert_close(ClassificationLoss(recipe, class_weight=weights)(*scored, of_image), expected)


def test_classes_are_weighted_by_name(scored: tuple[Tensor, Tensor]) -> None:
    recipe = TrainRecipe(class_weights={"MEL": 5})
    weights = compute_class_weights(recipe, HAM, CLASSES)
    np.testing.assert_array_equal(weights, [5, 1, 1, 1, 1, 1, 1])
    with pytest.raises(RecipeError, match=r"unknown class in train\.class_weights 'melanoma'.*Allowed:.*MEL"):
        compute_class_weights(TrainRecipe(class_weights={"melanoma": 5}), HAM, CLASSES)
    assert compute_class_weights(TrainRecipe(), HAM, CLASSES) is None


def test_without_weights_both_means_are_one(scored: tuple[Tensor, Tensor]) -> None:
    over = [ClassificationLoss(TrainRecipe(loss_reduction=each))(*scored) for each in ("weights", "images")]
    torch.testing.assert_close(over[0], over[1])
    torch.testing.assert_close(over[0], F.cross_entropy(*scored))


def test_independent_scores_are_binary_cross_entropies() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([0, 1, 2, 0])  # 0: neither
    truth = torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]])
    objective = ClassificationLoss(TrainRecipe(), multilabel=True)
    expected = F.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(objective(logits, target), expected)
    torch.testing.assert_close(objective.from_probabilities(logits.sigmoid(), target), expected)


def test_of_averaged_scores(scored: tuple[Tensor, Tensor]) -> None:
    objective = ClassificationLoss(TrainRecipe(loss="focal"))
    torch.testing.assert_close(objective.from_probabilities(scored[0].softmax(dim=1), scored[1]), objective(*scored))


def test_a_sure_and_wrong_score_has_a_finite_loss() -> None:
    sure, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([0])  # neither of the two, or the other one
    loss = ClassificationLoss(TrainRecipe(), multilabel=True).from_probabilities(sure, wrong)
    assert float(loss) == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-4)
    assert 10 < float(ClassificationLoss(TrainRecipe()).from_probabilities(sure, torch.tensor([1]))) < 30


def test_copies() -> None:
    copies = repeat_factors(TrainRecipe(class_repeats={"melanoma": 4}), np.array([0, 1, 1]), ("other", "melanoma"))
    assert copies is not None
    assert copies.tolist() == [1, 4, 4]
