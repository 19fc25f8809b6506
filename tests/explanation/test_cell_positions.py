"""Positions of the cells of feature maps: computed manually, from gradients, and of a spot that a network finds."""

from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.imaging.stitching import resize_map
from lesionlens.models.base import Classifier
from lesionlens.models.factory import create_model

SIZE = 64


class Trunk(Classifier):
    """Layers in place of a network; ``scale`` gives networks without weights a device."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Any:
        """Return the last feature map."""
        return self.layers(x)


def positive(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.uniform_(layer.weight, 0.5, 1.5)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def strided(channels: int = 4) -> Trunk:
    torch.manual_seed(0)
    sizes = (3, *[channels] * 4)
    layers = [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(sizes)]
    return Trunk(*map(positive, layers))


def pixels(model: Classifier, size: int = SIZE) -> dict[int, tuple[float, float]]:
    """Return start and step in pixels of each map, which are the same vertically and horizontally."""
    grids = cell_grids(model, torch.zeros(1, 3, size, size))
    assert all(grid.y == grid.x for grid in grids.values())
    return {height: (size * grid.x.start, size * grid.x.step) for (height, _), grid in grids.items()}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(3, 4, 3, padding=1)], {64: (0.5, 1)}),
        (
            [nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1)],
            {64: (0.5, 1), 32: (0.5, 2), 16: (0.5, 4)},
        ),
        ([nn.MaxPool2d(2), nn.AvgPool2d(2)], {64: (0.5, 1), 32: (1, 2), 16: (2, 4)}),
        ([nn.Conv2d(3, 4, 5)], {64: (0.5, 1), 60: (2.5, 1)}),
        ([nn.Conv2d(3, 4, 3, dilation=2)], {64: (0.5, 1), 60: (2.5, 1)}),
        ([nn.Conv2d(3, 4, 4, stride=4)], {64: (0.5, 1), 16: (2, 4)}),
        ([nn.MaxPool2d(3, 2, ceil_mode=True)], {64: (0.5, 1), 32: (1.5, 2)}),
    ],
)
def test_positions_of_layers(layers: list[nn.Module], expected: dict[int, tuple[float, float]]) -> None:
    assert pixels(Trunk(*layers)) == expected


def test_padding_of_the_forward_function_is_recognized() -> None:
    model = create_model(backbone="tf_efficientnet_lite0", num_classes=2)
    assert pixels(model)[32] == pytest.approx((1.5, 2))  # the bottom row is padded, the top row is not


def test_positions_equal_the_centers_of_gradients() -> None:
    model = strided()
    start, step = pixels(model)[4]
    image = torch.rand(1, 3, SIZE, SIZE, requires_grad=True)
    features = model(image)
    for cell in (1, 2):  # whose receptive fields are inside the image
        (gradient,) = torch.autograd.grad(features[0, :, cell, cell].sum(), image, retain_graph=True)
        weight = gradient.abs().sum(dim=(0, 1, 2)).numpy()
        center = float((weight * (np.arange(SIZE) + 0.5)).sum() / weight.sum())
        assert center == pytest.approx(start + step * cell, abs=1.0)


def test_a_map_shows_the_spot_that_the_network_finds() -> None:
    model = strided()
    grid = cell_grids(model, torch.zeros(1, 3, SIZE, SIZE))[4, 4]
    aligned, even = [], []
    for left in range(12, 45, 4):
        image = torch.zeros(1, 3, SIZE, SIZE)
        image[..., left : left + 4, left : left + 4] = 1.0
        with torch.inference_mode():
            values = model(image)[0].mean(dim=0).numpy()
        for errors, cells in ((aligned, grid), (even, None)):
            profile = resize_map(values, (SIZE, SIZE), cells).sum(axis=0)
            errors.append(float((profile * np.arange(0.5, SIZE)).sum() / profile.sum()) - (left + 2))
    assert abs(np.mean(aligned)) < 3
    assert np.mean(even) > 5


def test_networks_of_crops_have_the_positions_of_their_trunk() -> None:
    patch = create_model(backbone="test_resnet", attention="patch", num_classes=2, crops=4, end=True)
    trunk = create_model(backbone="test_resnet", num_classes=2)
    assert pixels(patch) == pixels(trunk)
    assert not any(module._forward_hooks for module in patch.modules())
