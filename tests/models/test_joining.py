"""Averages and the recurrent layer against plain restatements."""

import pytest
import torch

from lesionlens.models.patch_attention import CROP_AVERAGES, GRUHead


@pytest.mark.parametrize(("width", "parameters"), [(1024, 6_297_600), (2048, 9_443_328)])
def test_counts_the_recurrent_parameters(width: int, parameters: int) -> None:
    with torch.device("meta"):
        layer = GRUHead(width, 7)
    assert sum(p.numel() for p in layer.gru.parameters()) == parameters


def test_the_recurrent_layer_equals_a_plain_restatement() -> None:
    torch.manual_seed(0)
    layer, vectors = GRUHead(20, 3).double(), torch.rand(2, 4, 20, dtype=torch.float64)
    p = dict(layer.named_parameters())
    state = torch.zeros(2, 1024, dtype=torch.float64)
    for crop in vectors.unbind(dim=1):
        ours = (crop @ p["gru.weight_ih_l0"].T + p["gru.bias_ih_l0"]).chunk(3, dim=1)
        before = (state @ p["gru.weight_hh_l0"].T + p["gru.bias_hh_l0"]).chunk(3, dim=1)
        reset, update = (torch.sigmoid(ours[gate] + before[gate]) for gate in (0, 1))
        state = (1 - update) * torch.tanh(ours[2] + reset * before[2]) + update * state
    expected = state @ p["head.weight"].T + p["head.bias"]
    torch.testing.assert_close(layer(vectors), expected, rtol=0, atol=1e-12)


def test_averages_by_hand() -> None:
    logits = torch.tensor([[[3.0, 1.0], [1.0, 1.0]]]).log()  # probabilities 3/4, 1/4 and 1/2, 1/2
    torch.testing.assert_close(CROP_AVERAGES["logits"](logits).exp(), torch.tensor([[3.0**0.5, 1.0]]))
    torch.testing.assert_close(CROP_AVERAGES["probabilities"](logits).exp(), torch.tensor([[0.625, 0.375]]))


def test_sure_crops_give_finite_scores_even_in_half_precision() -> None:
    sure = torch.tensor([[[500.0, -500.0], [400.0, -400.0]]], dtype=torch.bfloat16)
    found = CROP_AVERAGES["probabilities"](sure)
    assert found.dtype == torch.float32
    assert bool(found.isfinite().all())
