"""Attention gate against vectors of the authors' module, and its gradients against an independent implementation."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.models.attention.attention_gate import AttentionGate

from ...helpers.tolerances import close, terms_of

GOLDEN = Path(__file__).parents[2] / "golden" / "attnmel_gate.npz"
NORMALIZATIONS = ("sigmoid", "softmax")


def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored}


def gate_with(weights: dict[str, Tensor], normalization: str) -> AttentionGate:
    hidden, local = weights["W_l"].shape[:2]
    gate = AttentionGate(local, weights["W_g"].shape[1], hidden_channels=hidden, normalization=normalization)
    gate.load_state_dict(
        {
            "W_l.weight": weights["W_l"],
            "W_g.weight": weights["W_g"],
            "phi.weight": weights["phi_w"],
            "phi.bias": weights["phi_b"],
        }
    )
    return gate


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_equals_the_golden_vectors(normalization: str) -> None:
    stored = golden()
    gate = gate_with(stored, normalization)
    output, terms = gate(stored["local"], stored["global"]), terms_of(gate) + 28 * 28
    expected, pooled = stored[f"map_{normalization}"][:, 0], stored[f"pooled_{normalization}"]
    torch.testing.assert_close(output.map, expected, **close(expected, terms))
    torch.testing.assert_close(output.pooled, pooled, **close(pooled, terms))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_equal_an_independent_implementation(normalization: str) -> None:
    stored = {name: value.double() for name, value in golden().items()}
    gate = gate_with(stored, normalization).double()
    local, guide = (stored[name].requires_grad_() for name in ("local", "global"))
    gate(local, guide).pooled.square().sum().backward()
    grads = [p.grad for p in gate.parameters()] + [local.grad, guide.grad]

    W_l, W_g, phi, bias = (stored[name].requires_grad_() for name in ("W_l", "W_g", "phi_w", "phi_b"))
    local_part = torch.einsum("bchw,kc->bkhw", local, W_l[:, :, 0, 0])
    global_part = F.interpolate(torch.einsum("bcij,kc->bkij", guide, W_g[:, :, 0, 0]), None, 4, "bilinear")
    scores = torch.einsum("bkhw,k->bhw", (local_part + global_part).clamp_min(0), phi[0, :, 0, 0]) + bias
    if normalization == "sigmoid":
        pooled = torch.einsum("bchw,bhw->bc", local, 1 / (1 + torch.exp(-scores))) / (28 * 28)
    else:
        weights = torch.exp(scores) / torch.exp(scores).sum(dim=(1, 2), keepdim=True)
        pooled = torch.einsum("bchw,bhw->bc", local, weights)
    expected = torch.autograd.grad(pooled.square().sum(), [W_l, W_g, phi, bias, local, guide])
    for actual, reference in zip(grads, expected, strict=True):
        torch.testing.assert_close(actual, reference, rtol=1e-9, atol=1e-12)


def test_accepts_feature_maps_of_any_size() -> None:
    torch.manual_seed(0)
    output = AttentionGate(4, 6, hidden_channels=5)(torch.rand(2, 4, 9, 7), torch.rand(2, 6, 3, 2))
    assert output.map.shape == (2, 9, 7)
    assert output.pooled.shape == (2, 4)


def test_initialization_is_that_of_the_thesis() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(256, 512)
    assert sum(p.numel() for p in gate.parameters()) == 196_865  # pool3 of a VGG
    assert float(gate.W_l.weight.detach().std()) == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert float(gate.W_g.weight.detach().std()) == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert not gate.phi.bias.any()  # type: ignore[union-attr]


def test_the_map_is_float32_under_autocast() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(4, 6, normalization="softmax")
    with torch.autocast("cpu", torch.bfloat16):
        output = gate(torch.rand(2, 4, 8, 8), torch.rand(2, 6, 2, 2))
    assert output.map.dtype == torch.float32
    torch.testing.assert_close(output.map.sum(dim=(1, 2)), torch.ones(2))


def test_an_unknown_normalization_names_the_allowed() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'softmax'.*sigmoid, softmax"):
        AttentionGate(4, 4, normalization="softmx")
