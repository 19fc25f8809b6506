"""Losses against golden vectors of the authors' code, PyTorch's losses, and manual calculations."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.core.errors import RecipeError
from lesionlens.data.sampler import class_weights
from lesionlens.imaging.stitching import CellAxis, CellGrid
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.attention_prior import EARLIER_MAP_WEIGHT, LAST_MAP_WEIGHT
from lesionlens.training.losses import (
    ClassificationLoss,
    attention_dice_loss,
    compute_class_weights,
    per_sample_loss,
    repeat_factors,
)


def focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    return per_sample_loss(logits, target, gamma=gamma).mean()


GOLDEN = Path(__file__).parents[1] / "golden" / "attnmel_losses.npz"
RTOL = 1e-5  # for float32 and maps of 28 by 28 pixels


@pytest.fixture
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as stored:
        return {name: torch.from_numpy(np.asarray(stored[name])) for name in stored}


def test_equals_the_golden_vectors(golden: dict[str, Tensor]) -> None:
    maps = {name: golden[f"map_{name}"][:, 0] for name in ("pool3", "pool4")}
    masks = golden["mask"][:, 0]
    assert not masks[0].any()  # an all-zero mask is among them
    hard = focal(golden["logits"], golden["target"])
    priors = {name: attention_dice_loss(maps[name], masks) for name in maps}
    torch.testing.assert_close(hard.double(), golden["focal"], rtol=RTOL, atol=0)
    torch.testing.assert_close(priors["pool3"].double(), golden["dice_pool3"], rtol=RTOL, atol=0)
    torch.testing.assert_close(priors["pool4"].double(), golden["dice_pool4"], rtol=RTOL, atol=0)
    total = hard + EARLIER_MAP_WEIGHT * priors["pool3"] + LAST_MAP_WEIGHT * priors["pool4"]
    torch.testing.assert_close(total.double(), golden["total"], rtol=RTOL, atol=0)


def test_focal_without_gamma_is_cross_entropy(golden: dict[str, Tensor]) -> None:
    expected = F.cross_entropy(golden["logits"], golden["target"])
    torch.testing.assert_close(focal(golden["logits"], golden["target"], gamma=0.0), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_is_that_of_torch(golden: dict[str, Tensor], smoothing: float) -> None:
    logits, target = golden["logits"], golden["target"]
    loss_fn = ClassificationLoss(TrainRecipe(label_smoothing=smoothing))
    expected = F.cross_entropy(logits, target, label_smoothing=smoothing)
    torch.testing.assert_close(loss_fn(logits, target), expected)
    probabilities = logits.softmax(dim=1)
    torch.testing.assert_close(
        loss_fn.from_probabilities(probabilities, target), F.cross_entropy(logits, target)
    )
    independent = ClassificationLoss(TrainRecipe(label_smoothing=smoothing), multilabel=True)
    hot = F.one_hot(target, logits.shape[1] + 1)[:, 1:].to(logits)
    expected = F.binary_cross_entropy_with_logits(logits, hot * (1 - smoothing) + smoothing / 2)
    torch.testing.assert_close(independent(logits, target), expected)


def test_label_smoothing_of_focal_loss_is_rejected() -> None:
    with pytest.raises(ValueError, match="label_smoothing requires loss=cross_entropy, not focal"):
        TrainRecipe(label_smoothing=0.1, loss="focal")


def test_focal_loss_of_two_images() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p = 3/4 and 1/2
    expected = (0.25**2 * -math.log(0.75) + 0.5**2 * -math.log(0.5)) / 2
    assert float(focal(logits, torch.tensor([0, 1]))) == pytest.approx(expected, rel=RTOL)


def test_dice_loss_of_one_image() -> None:
    attention = torch.tensor([[[0.5, 0.25], [0.0, 1.0]]])
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 2:, 1:] = True  # downsampled to 1/2 and 1
    expected = 1 - 2 * (0.0 * 0.5 + 1.0 * 1.0) / (1.75 + 1.5)
    assert float(attention_dice_loss(attention, mask)) == pytest.approx(expected, rel=RTOL)


@pytest.mark.parametrize("autocast", [False, True])
def test_masks_are_averaged_around_the_centers(autocast: bool) -> None:
    attention = torch.tensor([[[0.5, 0.25], [0.0, 1.0]]])
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2, 1] = True
    axis = CellAxis(
        0.0, 0.5
    )  # windows of two pixels around the borders 0 and 2; half of the first is outside
    expected = 1 - 2 * (0.25 * 0.5 + 1.0 * 0.25) / (1.75 + 0.5 + 0.25)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = attention_dice_loss(attention, mask, grid=CellGrid(axis, axis))
    assert float(loss) == pytest.approx(expected, rel=RTOL)


def test_images_without_a_mask_are_ignored() -> None:
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(3, 4, 4, generator=generator)
    masks = torch.rand(3, 8, 8, generator=generator)
    masks[1] = math.nan  # never read
    known = torch.tensor([True, False, True])
    torch.testing.assert_close(
        attention_dice_loss(attention, masks, known), attention_dice_loss(attention[::2], masks[::2])
    )


def test_batch_without_masks_has_no_loss() -> None:
    maps = torch.full((2, 4, 4), 0.5, requires_grad=True)
    prior = attention_dice_loss(maps, torch.ones(2, 8, 8), torch.zeros(2, dtype=torch.bool))
    assert float(prior) == 0.0


def test_empty_masks_have_no_gradient() -> None:
    attention = torch.full((2, 4, 4), 0.5, requires_grad=True)
    prior = attention_dice_loss(attention, torch.zeros(2, 8, 8))
    prior.backward()
    assert prior.item() == 1.0
    assert attention.grad is not None
    assert not attention.grad.any()


def test_gradient_raises_attention_only_in_the_mask() -> None:
    attention = torch.full((1, 4, 4), 0.5, requires_grad=True)
    masks = torch.zeros(1, 4, 4)
    masks[0, 1:3, 1:3] = 1
    attention_dice_loss(attention, masks).backward()
    assert attention.grad is not None
    assert bool(((attention.grad < 0) == masks.bool()).all())


def test_half_precision_is_computed_in_float32() -> None:
    logits = torch.tensor([[0.1, -0.3]], dtype=torch.bfloat16)
    assert focal(logits, torch.tensor([0])).dtype == torch.float32
    assert (
        attention_dice_loss(torch.full((1, 2, 2), 0.5).bfloat16(), torch.ones(1, 2, 2)).dtype == torch.float32
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_confident_correct_image_has_no_gradient(gamma: float) -> None:
    logits = torch.tensor([[30.0, -30.0], [0.5, 0.0]], requires_grad=True)
    focal(logits, torch.tensor([0, 1]), gamma=gamma).backward()
    assert bool(torch.isfinite(logits.grad).all())
    assert float(logits.grad[0].abs().max()) < 1e-6
    assert float(logits.grad[1].abs().max()) > 0.1


HAM = np.array([1113, 6705, 514, 327, 1099, 115, 142])
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")


@pytest.fixture
def scored() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 7, generator=generator), torch.tensor([0, 1, 1, 4, 6, 2])


@pytest.mark.parametrize("power", [0.5, 0.75, 1.0, 1.25, 1.5])
def test_weight_sum_matches_torch(scored: tuple[Tensor, Tensor], power: float) -> None:
    recipe = TrainRecipe(class_weight_power=power)
    weights = compute_class_weights(recipe, HAM, CLASSES)
    expected = F.cross_entropy(*scored, weight=torch.tensor(class_weights(HAM, power=power)).float())
    torch.testing.assert_close(ClassificationLoss(recipe, class_weight=weights)(*scored), expected)


def test_batch_size_is_the_mean_of_weighted_losses(scored: tuple[Tensor, Tensor]) -> None:
    recipe = TrainRecipe(class_weight_power=1, loss_reduction="batch_size")
    sample_weight = torch.tensor([4.0, 1.0, 2.0, 3.0, 1.0, 4.0])
    weights = compute_class_weights(recipe, HAM, CLASSES)
    losses = F.cross_entropy(*scored, reduction="none")
    expected = (losses * torch.tensor(HAM.sum() / HAM)[scored[1]].float() * sample_weight).mean()
    torch.testing.assert_close(
        ClassificationLoss(recipe, class_weight=weights)(*scored, sample_weight), expected
    )


def test_classes_are_weighted_by_name(scored: tuple[Tensor, Tensor]) -> None:
    recipe = TrainRecipe(class_weights={"MEL": 5})
    weights = compute_class_weights(recipe, HAM, CLASSES)
    np.testing.assert_array_equal(weights, [5, 1, 1, 1, 1, 1, 1])
    with pytest.raises(RecipeError, match=r"unknown class in train\.class_weights 'melanoma'.*Allowed:.*MEL"):
        compute_class_weights(TrainRecipe(class_weights={"melanoma": 5}), HAM, CLASSES)
    assert compute_class_weights(TrainRecipe(), HAM, CLASSES) is None


def test_without_weights_both_reductions_are_equal(scored: tuple[Tensor, Tensor]) -> None:
    means = [
        ClassificationLoss(TrainRecipe(loss_reduction=name))(*scored) for name in ("weight_sum", "batch_size")
    ]
    torch.testing.assert_close(means[0], means[1])
    torch.testing.assert_close(means[0], F.cross_entropy(*scored))


def test_multilabel_is_binary_cross_entropy() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([0, 1, 2, 0])  # 0: neither class
    truth = torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]])
    objective = ClassificationLoss(TrainRecipe(), multilabel=True)
    expected = F.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(objective(logits, target), expected)
    torch.testing.assert_close(objective.from_probabilities(logits.sigmoid(), target), expected)


def test_loss_from_probabilities(scored: tuple[Tensor, Tensor]) -> None:
    objective = ClassificationLoss(TrainRecipe(loss="focal"))
    torch.testing.assert_close(
        objective.from_probabilities(scored[0].softmax(dim=1), scored[1]), objective(*scored)
    )


def test_confident_wrong_score_has_a_finite_loss() -> None:
    sure, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([0])  # neither class, or the other class
    loss = ClassificationLoss(TrainRecipe(), multilabel=True).from_probabilities(sure, wrong)
    assert float(loss) == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-4)
    assert 10 < float(ClassificationLoss(TrainRecipe()).from_probabilities(sure, torch.tensor([1]))) < 30


def test_copies() -> None:
    copies = repeat_factors(
        TrainRecipe(class_repeats={"melanoma": 4}), np.array([0, 1, 1]), ("other", "melanoma")
    )
    assert copies is not None
    assert copies.tolist() == [1, 4, 4]
