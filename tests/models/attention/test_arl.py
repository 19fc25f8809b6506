"""Equation 9 against vectors computed from the paper's formulas in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lesionlens.core.errors import ModelError
from lesionlens.models.attention.arl import MASK_NORMALIZATIONS, attention_residual

from ...helpers.tolerances import bound, close

GOLDEN = Path(__file__).parents[2] / "golden" / "arl_block.npz"
NAMES = {"spatial": "spatial_softmax", "channel": "channel_softmax", "sigmoid": "sigmoid"}


@pytest.mark.parametrize("normalization", sorted(NAMES))
def test_equals_the_golden_vectors(normalization: str) -> None:
    with np.load(GOLDEN) as golden:
        x, residual, alpha = (torch.from_numpy(golden[name]) for name in ("x", "residual", "alpha"))
        mask = torch.from_numpy(golden[f"mask_{NAMES[normalization]}"])
        y = torch.from_numpy(golden[f"y_{NAMES[normalization]}"])
    attended = attention_residual(x, residual, alpha, normalization=normalization)
    torch.testing.assert_close(attended.mask, mask, rtol=0, atol=1e-12)
    torch.testing.assert_close(attended.features, y, rtol=0, atol=1e-12)


def test_masks_sum_to_one() -> None:
    features = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(0)) * 20
    torch.testing.assert_close(
        MASK_NORMALIZATIONS["spatial"].compute_mask(features).sum(dim=(2, 3)), torch.ones(2, 5)
    )
    torch.testing.assert_close(
        MASK_NORMALIZATIONS["channel"].compute_mask(features).sum(dim=1), torch.ones(2, 7, 3)
    )


def test_mask_is_invariant_to_a_constant_offset() -> None:
    features = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    exact = MASK_NORMALIZATIONS["spatial"].compute_mask(features.double())
    for added in (0.0, 1000.0):
        error = (
            bound(torch.float32, 56 * 56) + added * torch.finfo(torch.float32).eps
        )  # the features are rounded
        mask = MASK_NORMALIZATIONS["spatial"].compute_mask(features + added).double()
        torch.testing.assert_close(mask, exact, rtol=error, atol=0)


def test_area_mask_has_mean_one() -> None:
    features = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(0))
    scaled = MASK_NORMALIZATIONS["area"].compute_mask(features)
    ones = torch.ones(2, 5)
    torch.testing.assert_close(scaled.mean(dim=(2, 3)), ones, **close(ones, 21))
    expected = MASK_NORMALIZATIONS["spatial"].compute_mask(features)
    torch.testing.assert_close(scaled / 21, expected, **close(expected, 21))


def test_autocast_float32_mask_and_sum_rounded_once() -> None:
    generator = torch.Generator().manual_seed(2)
    x, residual = (torch.randn(2, 4, 9, 9, generator=generator).bfloat16() for _ in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        attended = attention_residual(x, residual, torch.tensor(0.5))
    exact = attention_residual(x.double(), residual.double(), torch.tensor(0.5, dtype=torch.float64))
    assert attended.mask.dtype == torch.float32
    torch.testing.assert_close(attended.mask.double(), exact.mask, rtol=1e-5, atol=0)
    assert attended.features.dtype == torch.bfloat16
    torch.testing.assert_close(attended.features.double(), exact.features, rtol=2**-8, atol=1e-6)


def test_dtype_is_unchanged_without_autocast() -> None:
    x = torch.ones(1, 2, 3, 3, dtype=torch.bfloat16)
    assert attention_residual(x, x, torch.tensor(0.001)).features.dtype == torch.bfloat16


def test_alpha_receives_its_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    x, residual = (torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha = torch.tensor(0.001, dtype=torch.float64, requires_grad=True)
    attended = attention_residual(x, residual, alpha)
    attended.features.sum().backward()
    torch.testing.assert_close(alpha.grad, (attended.mask * x).sum().detach())


def test_an_unknown_normalization_names_the_allowed() -> None:
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ModelError, match=r"did you mean 'spatial'.*area, channel, sigmoid, spatial"):
        attention_residual(x, x, torch.tensor(1.0), normalization="spatal")
