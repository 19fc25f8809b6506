"""Attention learning in a stack of layers, equations 3 to 7 of Zhang et al. 2019, against manual computations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.models.arl_stack import ARLStackNet

SMALL = {"mlp_ratio": 0.01}  # narrow hidden layers
EQUATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "spatial": lambda o: o.exp() / o.exp().sum(dim=(2, 3), keepdim=True),
    "channel": lambda o: o.exp() / o.exp().sum(dim=1, keepdim=True),
    "sigmoid": lambda o: 1 / (1 + (-o).exp()),
}


def stack_net(name: str = "vgg11", **options: Any) -> ARLStackNet:
    torch.manual_seed(0)
    return ARLStackNet(name, num_classes=2, **options).eval()


def sample() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("vgg11", [(8, 8), (13, 13), (18, 18)]),  # two stages of one convolution
        ("vgg16", [(2, 2), (7, 7), (12, 14), (19, 21), (26, 28)]),
        ("vgg16_bn", [(3, 4), (10, 11), (17, 21), (27, 31), (37, 41)]),  # to the batch norm
    ],
)
def test_stacks_of_vgg(name: str, pairs: list[tuple[int, int]]) -> None:
    with torch.device("meta"):
        model = ARLStackNet(name, num_classes=2, **SMALL)
    assert model.pairs == tuple((f"features.{low}", f"features.{high}") for low, high in pairs)


@pytest.mark.parametrize("normalization", EQUATIONS)
@torch.no_grad()
def test_masks_and_sum_equal_the_equations(normalization: str) -> None:
    model = stack_net(normalization=normalization, alpha=0.7, **SMALL)
    x, masks = sample(), []
    for index, layer in enumerate(model.backbone.features):  # type: ignore[arg-type]
        y = F.conv2d(x, layer.weight, layer.bias, padding=1) if hasattr(layer, "weight") else layer(x)
        if index in {8, 13, 18}:
            masks.append(EQUATIONS[normalization](y))
            y = y + 0.7 * masks[-1] * x
        x = y
    features = model.forward_features(sample(), maps=True)
    torch.testing.assert_close(features.feature_map, x, rtol=1e-4, atol=1e-5)
    assert list(features.maps) == ["features.8", "features.13", "features.18"]
    for ours, mask in zip(features.maps.values(), masks, strict=True):
        torch.testing.assert_close(ours, mask.mean(dim=1), rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_alpha_zero_is_the_backbone() -> None:
    model, x = stack_net(alpha=0.0, **SMALL), sample()
    assert torch.equal(model(x).logits, model.backbone(x))
    model.backbone.get_submodule("features.18").alpha.fill_(100.0)
    assert not torch.allclose(model(x).logits, model.backbone(x))


def test_alphas_learn() -> None:
    model = stack_net("test_resnet", pairs=[["layer1.0.conv2", "layer1.0.bn2"]])
    model(sample()).logits.square().sum().backward()
    assert model.attention_scales == ("backbone.layer1.0.bn2.alpha",)
    assert model.get_parameter(model.attention_scales[0]).grad != 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "is not a VGG. Set pairs"),
        ({"pairs": [["conv1"]]}, "is not a pair"),
        ({"pairs": [["conv1", "conv9"]]}, "unknown layer 'conv9'"),
        ({"pairs": []}, "one pair of layers or more"),
        ({"pairs": [["layer1", "layer2"]]}, r"whose input has the shape"),
        ({"pairs": [["layer2", "layer1"]]}, r"runs before layer1"),
    ],
)
def test_pairs_that_do_not_fit_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        stack_net("test_resnet", **options)(sample())
