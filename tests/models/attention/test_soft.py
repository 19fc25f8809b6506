"""Soft attention against the authors' Keras layer, a three-dimensional convolution, and manual computations."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.models.attention.soft import MODES, HeadwiseConv2d, SoftAttention, SoftAttentionBlock
from lesionlens.models.backbone import meta_device

from ...helpers.tolerances import close, terms_of

GOLDEN = Path(__file__).parents[2] / "golden" / "soft_attention_keras.npz"


def sample(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def from_keras(kernel: Tensor) -> Tensor:
    """Convert a Keras kernel (C, 3, 3, 1, K) to (K, 3, C, 3)."""
    return kernel[:, :, :, 0].permute(3, 2, 0, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_authors_mode_equals_their_keras_layer(dtype: torch.dtype) -> None:
    with np.load(GOLDEN) as golden:
        x, k, b, u, a = (torch.from_numpy(golden[name]).to(dtype) for name in ("x", "k", "b", "u", "a"))
    unit = SoftAttention(x.shape[-1], heads=k.shape[-1], mode="authors").to(dtype)
    unit.conv.load_state_dict({"weight": from_keras(k), "bias": b})
    output = unit(x.permute(0, 3, 1, 2))
    terms = terms_of(unit) + a[0].numel()
    for ours, theirs in (
        (output.feature_map, u.permute(0, 3, 1, 2)),
        (output.heads, a),
        (output.map, a.sum(dim=1)),
    ):
        torch.testing.assert_close(ours, theirs, **close(theirs, terms, torch.float32))  # theirs was float32


@pytest.mark.parametrize("shape", [(3, 5, 4), (4, 7, 3), (6, 3, 5), (9, 5, 2), (12, 1, 1), (5, 20, 6)])
def test_headwise_convolution_equals_keras_conv3d(shape: tuple[int, int, int]) -> None:
    c, h, w = shape
    x, kernel, bias = sample(2, c, h, w), sample(c, 3, 3, 1, 4, seed=1), sample(4, seed=2)
    # Keras: volume (N, H, W, C, 1), kernel (C, 3, 3, 1, K), strides (1, 1, C), zeros around as for "same"
    volume = F.pad(x.permute(0, 2, 3, 1)[:, None], (0, 0, 1, 1, (c - 1) // 2, c - 1 - (c - 1) // 2))
    theirs = F.conv3d(volume, kernel.permute(4, 3, 0, 1, 2), bias, stride=(1, 1, c))[..., 0]
    ours = HeadwiseConv2d(c, 4).double()
    ours.load_state_dict({"weight": from_keras(kernel), "bias": bias})
    torch.testing.assert_close(ours(x), theirs, rtol=0, atol=1e-12)


def test_the_papers_mode_is_equation_1() -> None:
    """The reference computes the convolution position by position."""
    unit = SoftAttention(5, heads=3, initial_gamma=0.7).double()
    x, padded = sample(2, 5, 4, 6), F.pad(sample(2, 5, 4, 6), (1, 1, 1, 1))
    assert unit.conv.bias is not None
    scores = torch.stack(
        [
            torch.einsum("bcij,kcij->bk", padded[:, :, r : r + 3, s : s + 3], unit.conv.weight)
            + unit.conv.bias
            for r in range(4)
            for s in range(6)
        ],
        dim=2,
    )
    heads = (scores.exp() / scores.exp().sum(dim=2, keepdim=True)).reshape(2, 3, 4, 6)
    output = unit(x)
    torch.testing.assert_close(output.heads, heads, rtol=0, atol=1e-12)
    expected = 0.7 * x * (heads[:, 0] + heads[:, 1] + heads[:, 2])[:, None]
    torch.testing.assert_close(
        output.feature_map, expected, rtol=0, atol=1e-7
    )  # gamma is initialized in float32


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_each_head_sums_to_one_and_all_to_k(mode: str, size: tuple[int, int]) -> None:
    output = SoftAttention(8, mode=mode)(sample(3, 8, *size, dtype=torch.float32) * 20)
    ones, heads = torch.ones(3, 16), torch.full((3,), 16.0)
    torch.testing.assert_close(output.heads.sum(dim=(2, 3)), ones, **close(ones, math.prod(size)))
    torch.testing.assert_close(output.map.sum(dim=(1, 2)), heads, **close(heads, 16 * math.prod(size)))
    names = ["soft", *(f"soft head {n}" for n in range(1, 17))]
    assert list(output.named_maps()) == names
    assert torch.equal(output.named_maps()["soft head 16"], output.heads[:, 15])


@pytest.mark.parametrize(
    ("channels", "printed"), [(128, 18_448), (192, 27_664), (512, 73_744), (2048, 294_928)]
)
def test_parameters_are_those_that_keras_prints(channels: int, printed: int) -> None:
    for mode, gammas in (("paper", 1), ("authors", 0)):
        with meta_device():
            unit = SoftAttention(channels, mode=mode)
        assert sum(parameter.numel() for parameter in unit.parameters()) == printed + gammas


def test_gamma_initial_value_and_gradient() -> None:
    unit = SoftAttention(4).double()
    assert unit.gamma is not None
    assert unit.gamma.item() == pytest.approx(0.01)
    x = sample(2, 4, 5, 5)
    output = unit(x)
    output.feature_map.sum().backward()
    torch.testing.assert_close(unit.gamma.grad, (output.map[:, None] * x).sum().detach())
    assert SoftAttention(4, mode="authors").gamma is None


def test_kernels_are_initialized_he_uniform() -> None:
    for mode in ("paper", "authors"):
        weight = SoftAttention(64, mode=mode).conv.weight.detach()
        bound = (6 / (9 * 64)) ** 0.5  # of Keras: fan-in of a kernel (C, 3, 3, 1, K) is 9 C
        assert 0.95 * bound < float(weight.abs().max()) <= 1.0001 * bound


def test_autocast_float32_maps_and_unchanged_feature_dtype() -> None:
    x = sample(1, 8, 6, 6).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        output = SoftAttention(8)(x)
    assert (output.map.dtype, output.heads.dtype, output.feature_map.dtype) == (
        torch.float32,
        torch.float32,
        torch.bfloat16,
    )
    heads = torch.full((1,), 16.0)
    torch.testing.assert_close(output.map.sum(dim=(1, 2)), heads, **close(heads, output.heads.numel()))


@pytest.mark.parametrize(
    ("size", "pooled"), [((8, 8), (4, 4)), ((7, 5), (4, 3)), ((1, 1), (1, 1)), ((2, 1), (1, 1))]
)
def test_block_pools_and_concatenates(size: tuple[int, int], pooled: tuple[int, int]) -> None:
    block, x = SoftAttentionBlock(3, heads=2).eval(), sample(2, 3, *size, dtype=torch.float32)
    attended = block.attention(x).feature_map
    grid = block(x).feature_map
    assert tuple(grid.shape) == (2, 6, *pooled)
    for source, half_channels in ((x, grid[:, :3]), (attended, grid[:, 3:])):
        for row in range(pooled[0]):
            for column in range(pooled[1]):
                window = source[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                torch.testing.assert_close(
                    half_channels[:, :, row, column], window.amax(dim=(2, 3)).clamp(min=0)
                )


def test_block_dropout_only_in_training() -> None:
    torch.manual_seed(0)
    block, x = SoftAttentionBlock(3), sample(4, 3, 32, 32, dtype=torch.float32).abs() + 1
    assert float((block.train()(x).feature_map == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert bool((block.eval()(x).feature_map > 0).all())


def test_an_unknown_mode_names_the_allowed() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'paper'\? Allowed: authors, paper"):
        SoftAttention(4, mode="papr")


def test_uniform_mode_scales_all_positions_equally() -> None:
    unit, x = SoftAttention(8, heads=4, mode="uniform", initial_gamma=0.5), sample(2, 8, 5, 3).float()
    torch.testing.assert_close(unit(x).feature_map, 0.5 * 4 / 15 * x)
    assert [name for name, _ in unit.named_parameters()] == ["gamma"]
