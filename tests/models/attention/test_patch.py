"""Patch attention against vectors of the authors' module."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lesionlens.models.attention.patch import PatchAttention

from ...helpers.tolerances import close, terms_of

GOLDEN = Path(__file__).parents[2] / "golden" / "patch_attention.npz"


@pytest.mark.parametrize("kind", ["crops", "features"])
def test_equals_the_golden_vectors(kind: str) -> None:
    with np.load(GOLDEN) as stored:
        weight, bias, x, expected, weights = (
            torch.from_numpy(stored[name])
            for name in ("fc_w", "fc_b", kind, f"{kind}_out", f"{kind}_weights")
        )
    layer = PatchAttention(5)
    layer.load_state_dict({"linear.weight": weight, "linear.bias": bias})
    output = layer(x)
    terms = x[0, 0].numel() + terms_of(layer)
    torch.testing.assert_close(output.weights, weights, **close(weights, terms))
    torch.testing.assert_close(output.crops, expected, **close(expected, terms))


@pytest.mark.parametrize(("crops", "parameters"), [(5, 30), (9, 90), (16, 272), (25, 650)])
def test_counts_its_parameters(crops: int, parameters: int) -> None:
    assert sum(p.numel() for p in PatchAttention(crops).parameters()) == parameters


def test_weights_depend_only_on_brightness() -> None:
    torch.manual_seed(0)
    layer = PatchAttention(4)
    crops = torch.rand(2, 4, 3, 6, 6)
    shuffled = crops.flatten(2)[:, :, torch.randperm(108)].reshape(crops.shape)
    torch.testing.assert_close(layer(crops).weights, layer(shuffled).weights)
    expected = 1 / (1 + torch.exp(-(crops.mean(dim=(2, 3, 4)) @ layer.linear.weight.T + layer.linear.bias)))
    torch.testing.assert_close(layer(crops).weights, expected)


def test_autocast_float32_weights_and_unchanged_crop_dtype() -> None:
    torch.manual_seed(0)
    layer, crops = PatchAttention(3), torch.rand(2, 3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(crops.bfloat16())
    assert (output.weights.dtype, output.crops.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(output.weights, layer(crops).weights, rtol=0, atol=2e-3)
