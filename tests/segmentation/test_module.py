"""Segmentation loss against hand-computed cases and torch's cross-entropy."""

import math

import pytest
import torch

from lesionlens.segmentation.module import bce_dice_loss


def test_loss_of_a_hand_computed_case() -> None:
    """Two pixels, both at p = 1/2, one of them lesion: Dice (2·½ + 1) / (1 + 1 + 1)."""
    loss = bce_dice_loss(torch.zeros(1, 1, 2), torch.tensor([[[True, False]]]))
    assert float(loss) == pytest.approx(math.log(2) + 1 - 2 / 3, rel=1e-5)


def test_perfect_mask_has_no_loss_and_inverse_mask_the_largest() -> None:
    masks = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5
    sure = torch.where(masks, 20.0, -20.0)
    assert float(bce_dice_loss(sure, masks)) == pytest.approx(0, abs=1e-5)
    assert float(bce_dice_loss(-sure, masks)) > 20


def test_each_image_counts_alike_in_the_dice_term() -> None:
    """A correct large lesion does not compensate for a missed small one."""
    masks = torch.zeros(2, 10, 10, dtype=torch.bool)
    masks[0], masks[1, 0, 0] = True, True
    logits = torch.full((2, 10, 10), -20.0)
    logits[0] = 20.0
    entropy = torch.nn.BCEWithLogitsLoss()(logits, masks.float())
    assert float(bce_dice_loss(logits, masks) - entropy) == pytest.approx((0 + 1 - 1 / 2) / 2, abs=1e-5)
