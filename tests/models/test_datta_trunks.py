"""Padding, pooling and the order of layers as in Keras."""

import pytest
import torch
from torch import nn

from lesionlens.models.datta2021 import ConvReLUBatchNorm, SamePadMaxPool2d, pad_same


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (2, 2), (4, 4)])
def test_padding_is_that_of_keras(kernel: int, stride: int) -> None:
    """TensorFlow's rule: as many places as lack to ⌈size / stride⌉ windows, the odd one at the end."""
    for size in (1, 2, 5, 14, 15):
        column = pad_same(torch.ones(1, 1, size, size), kernel_size=kernel, stride=stride).amax(dim=3)[0, 0]
        missing = max(kernel - (size % stride or stride), 0)
        ahead = missing // 2
        assert column.tolist() == [0.0] * ahead + [1.0] * size + [0.0] * (missing - ahead)


def test_a_pool_of_four_sees_fourteen_places_with_one_more_at_each_end() -> None:
    x = -torch.arange(1.0, 15.0)[None, None, :, None].expand(1, 1, 14, 14)
    assert SamePadMaxPool2d(4, 4)(x)[0, 0, :, 0].tolist() == [-1.0, -4.0, -8.0, -12.0]


def test_relu_comes_before_batch_norm() -> None:
    layer = ConvReLUBatchNorm(1, 1, kernel_size=1)
    nn.init.ones_(layer.conv.weight)
    nn.init.zeros_(layer.conv.bias)  # type: ignore[arg-type]
    y = layer(torch.tensor([-2.0, 0.0, 1.0, 5.0]).reshape(1, 1, 2, 2)).flatten()
    rectified = torch.tensor([0.0, 0.0, 1.0, 5.0])
    expected = (rectified - 1.5) / (4.25 + 1e-3) ** 0.5  # Keras' epsilon
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(layer.norm.running_mean, torch.tensor([0.015]))  # and its momentum, 0.99
