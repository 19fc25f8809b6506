"""Focal loss and Dice prior against golden vectors of the authors' module, and against cases worked by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.errors import ModelError
from lesionlens.training.losses import attention_loss, dice_prior, focal

GOLDEN = Path(__file__).parents[1] / "golden" / "attnmel_losses.npz"
EXACT = {"rtol": 0, "atol": 1e-6}


@pytest.fixture
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as stored:
        return {name: torch.from_numpy(np.asarray(stored[name])) for name in stored}


def test_equals_the_golden_vectors(golden: dict[str, Tensor]) -> None:
    maps = {name: golden[f"map_{name}"][:, 0] for name in ("pool3", "pool4")}
    masks = golden["mask"][:, 0]
    assert not masks[0].any()  # an all-zero mask is among them
    found = attention_loss(golden["logits"], golden["target"], maps, masks)
    torch.testing.assert_close(found.focal.double(), golden["focal"], **EXACT)
    torch.testing.assert_close(found.priors["pool3"].double(), golden["dice_pool3"], **EXACT)
    torch.testing.assert_close(found.priors["pool4"].double(), golden["dice_pool4"], **EXACT)
    torch.testing.assert_close(found.total.double(), golden["total"], **EXACT)


def test_focal_without_gamma_is_cross_entropy(golden: dict[str, Tensor]) -> None:
    expected = F.cross_entropy(golden["logits"], golden["target"])
    torch.testing.assert_close(focal(golden["logits"], golden["target"], gamma=0.0), expected)


def test_focal_by_hand() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p = 3/4 and 1/2
    expected = (0.25**2 * -math.log(0.75) + 0.5**2 * -math.log(0.5)) / 2
    assert float(focal(logits, torch.tensor([0, 1]))) == pytest.approx(expected, abs=1e-7)


def test_dice_by_hand() -> None:
    attention = torch.tensor([[[0.5, 0.25], [0.0, 1.0]]])
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 2:, 1:] = True  # averaged to a half and one
    expected = 1 - 2 * (0.0 * 0.5 + 1.0 * 1.0) / (1.75 + 1.5)
    assert float(dice_prior(attention, mask)) == pytest.approx(expected, abs=1e-7)


def test_images_without_a_mask_are_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(3, 4, 4, generator=generator)
    masks = torch.rand(3, 8, 8, generator=generator)
    masks[1] = math.nan  # never looked at
    known = torch.tensor([True, False, True])
    torch.testing.assert_close(dice_prior(attention, masks, known), dice_prior(attention[::2], masks[::2]))


def test_a_batch_without_masks_has_no_prior() -> None:
    logits, target = torch.zeros(2, 2, requires_grad=True), torch.tensor([0, 1])
    maps = {"pool3": torch.full((2, 4, 4), 0.5, requires_grad=True)}
    none = torch.zeros(2, dtype=torch.bool)
    found = attention_loss(logits, target, maps, torch.ones(2, 8, 8), none, weights={"pool3": 0.5})
    assert float(found.priors["pool3"]) == 0.0
    assert found.total.item() == found.focal.item()
    found.total.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0


def test_all_zero_masks_give_one_and_a_gradient_of_zero() -> None:
    attention = torch.full((2, 4, 4), 0.5, requires_grad=True)
    prior = dice_prior(attention, torch.zeros(2, 8, 8))
    prior.backward()
    assert prior.item() == 1.0
    assert attention.grad is not None
    assert not attention.grad.any()


def test_the_prior_draws_a_map_into_the_mask() -> None:
    attention = torch.full((1, 4, 4), 0.5, requires_grad=True)
    masks = torch.zeros(1, 4, 4)
    masks[0, 1:3, 1:3] = 1
    dice_prior(attention, masks).backward()
    assert attention.grad is not None
    assert bool(((attention.grad < 0) == masks.bool()).all())


def test_half_precision_is_computed_in_float32() -> None:
    logits = torch.tensor([[0.1, -0.3]], dtype=torch.bfloat16)
    assert focal(logits, torch.tensor([0])).dtype == torch.float32
    assert dice_prior(torch.full((1, 2, 2), 0.5).bfloat16(), torch.ones(1, 2, 2)).dtype == torch.float32


def test_a_map_that_is_not_made_is_named() -> None:
    with pytest.raises(ModelError, match=r"unknown attention map 'pool3'.*Allowed: layer2, layer3"):
        attention_loss(
            torch.zeros(1, 2),
            torch.tensor([0]),
            {"layer2": torch.ones(1, 4, 4), "layer3": torch.ones(1, 2, 2)},
            torch.ones(1, 8, 8),
        )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_sure_and_right_image_has_a_gradient_of_zero(gamma: float) -> None:
    logits = torch.tensor([[30.0, -30.0], [0.5, 0.0]], requires_grad=True)
    focal(logits, torch.tensor([0, 1]), gamma=gamma).backward()
    assert bool(torch.isfinite(logits.grad).all())
    assert float(logits.grad[0].abs().max()) < 1e-6
    assert float(logits.grad[1].abs().max()) > 0.1
