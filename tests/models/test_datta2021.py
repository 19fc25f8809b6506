"""Networks of Datta et al. trained from scratch: Keras' parameter counts, feature maps and training."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, WeightsError
from lesionlens.models import backbone
from lesionlens.models.attention.soft import SoftAttentionBlock
from lesionlens.models.backbone import meta_device
from lesionlens.models.datta2021 import (
    DATTA_BACKBONES,
    ConvReLUBatchNorm,
    DattaNet,
    DattaSoftAttentionNet,
    SamePadMaxPool2d,
    pad_same,
)
from lesionlens.models.weights import load_backbone_weights

from ..helpers.tolerances import close, terms_of

KINDS = [DattaNet, DattaSoftAttentionNet]


def seeded(seed: int, *size: int) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))


def conv(in_channels: int, channels: int, kernel: int = 3) -> int:
    """Count the parameters of convolution and batch norm as Keras: bias, gamma, beta, moving mean and variance."""
    return in_channels * channels * kernel**2 + channels + 4 * channels


def statistics(model: nn.Module) -> int:
    """Count moving means and variances, which are in Keras' total but are not trainable."""
    return sum(2 * m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def on_meta(kind: type[DattaNet], name: str, **options: str) -> DattaNet:
    with meta_device():
        return kind(name, num_classes=7, **options)


def test_resnet34_has_the_parameters_that_keras_prints() -> None:
    stem = conv(3, 64) + 3 * 2 * conv(64, 64)
    stem += 2 * conv(64, 128) + conv(128, 128) + 3 * 3 * conv(128, 128)  # every block has a third convolution
    unit = 9 * 128 * 16 + 16
    body = (
        2 * conv(256, 256) + conv(256, 256) + 5 * 3 * conv(256, 256)
    )  # 256 inputs: the feature map and the attended one
    body += 2 * conv(256, 512) + conv(512, 512) + 2 * 3 * conv(512, 512)
    assert stem + unit + body + 512 * 7 + 7 == 31_414_167
    model = on_meta(DattaSoftAttentionNet, "datta_resnet34", mode="authors")
    assert statistics(model) == 2 * (64 + 3 * 2 * 64 + 4 * 3 * 128 + 6 * 3 * 256 + 3 * 3 * 512) == 22_400
    assert backbone.count_parameters(model) == 31_414_167 - 22_400


def test_vgg16_has_the_parameters_that_keras_prints() -> None:
    stem = conv(3, 64) + conv(64, 64, 1) + conv(64, 128) + conv(128, 128, 1)
    stem += conv(128, 256) + conv(256, 256) + conv(256, 256, 1)
    stem += conv(256, 512) + conv(512, 512) + conv(512, 512, 1)
    unit = 9 * 512 * 16 + 16
    body = conv(1024, 512) + conv(512, 512) + conv(512, 512, 1)
    hidden = 4 * 4 * 512 * 4096 + 4096 + 4096 * 4096 + 4096
    assert stem + unit + body + hidden + 4096 * 7 + 7 == 62_650_711
    model = on_meta(DattaSoftAttentionNet, "datta_vgg16", mode="authors")
    assert statistics(model) == 2 * (2 * 64 + 2 * 128 + 3 * 256 + 3 * 512 + 3 * 512) == 8_448
    assert backbone.count_parameters(model) == 62_650_711 - 8_448


@pytest.mark.parametrize("name", DATTA_BACKBONES)
def test_paper_mode_adds_only_gamma(name: str) -> None:
    paper, authors = (
        on_meta(DattaSoftAttentionNet, name),
        on_meta(DattaSoftAttentionNet, name, mode="authors"),
    )
    assert backbone.count_parameters(paper) == backbone.count_parameters(authors) + 1
    assert paper.attention_scales == ("soft.attention.gamma",)
    assert authors.attention_scales == on_meta(DattaNet, name).attention_scales == ()


def test_parameters_without_attention() -> None:
    for name, channels, reading_channels in (("datta_resnet34", 128, 2 * 256), ("datta_vgg16", 512, 512)):
        unit = 9 * channels * 16 + 16 + 1
        read = (
            9 * channels * reading_channels
        )  # kernels on the attended channels: a block's first and its skip, or one
        difference = backbone.count_parameters(
            on_meta(DattaSoftAttentionNet, name)
        ) - backbone.count_parameters(on_meta(DattaNet, name))
        assert difference == unit + read


def test_feature_map_sizes_at_224_pixels() -> None:
    for name, attended, last in (
        ("datta_resnet34", (28, 28), (512, 7, 7)),
        ("datta_vgg16", (28, 28), (512, 14, 14)),
    ):
        model = on_meta(DattaSoftAttentionNet, name).eval()
        with torch.device("meta"):
            features = model.forward_features(torch.zeros(1, 3, 224, 224), maps=True)
        assert tuple(features.maps["soft"].shape[1:]) == attended
        assert tuple(features.feature_map.shape[1:]) == last


@pytest.fixture(
    scope="module",
    params=[(kind, name) for kind in KINDS for name in DATTA_BACKBONES],
    ids=lambda p: f"{p[0].__name__}-{p[1]}",
)
def network(request: pytest.FixtureRequest) -> DattaNet:
    """Build each network once."""
    kind, name = request.param
    torch.manual_seed(0)
    model: DattaNet = kind(name, num_classes=3)
    return model.eval()


@pytest.mark.slow
@torch.no_grad()
def test_any_size_layout_and_precision(network: DattaNet) -> None:
    x = seeded(1, 1, 3, 37, 50)
    reference = network(x, maps=True)
    assert tuple(reference.logits.shape) == (1, 3)
    assert len(reference.maps) == (17 if isinstance(network, DattaSoftAttentionNet) else 0)
    last = network.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last.logits, reference.logits, **close(reference.logits, terms_of(network)))
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x, maps=True)
    torch.testing.assert_close(half.logits.float(), reference.logits, rtol=0.1, atol=0.05)
    assert all(values.dtype == torch.float32 for values in half.maps.values())
    assert tuple(network(seeded(1, 2, 3, 16, 16)).logits.shape) == (
        2,
        3,
    )  # smaller than its total stride


def test_gradients_reach_every_parameter(network: DattaNet) -> None:
    network.train().zero_grad()
    torch.manual_seed(0)
    F.cross_entropy(network(seeded(2, 3, 3, 64, 64)).logits, torch.tensor([0, 1, 2])).backward()
    network.eval()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        cancels = key == "soft.attention.conv.bias"  # a softmax over positions does not depend on it
        assert cancels or bool((parameter.grad != 0).any()), key


@torch.no_grad()
def test_head(network: DattaNet) -> None:
    side = 64 if network.neck is None else 224  # the hidden layers read 14 × 14 positions
    features = network.forward_features(seeded(3, 1, 3, side, side))
    pooled = network.pool(features)
    grid = features.feature_map
    if network.neck is None:
        assert network.linear_head_weight() is network.head.weight
        expected = grid.sum(dim=(2, 3)) / 4
        torch.testing.assert_close(pooled, expected, **close(expected, 4))
    else:
        assert network.linear_head_weight() is None
        four = F.max_pool2d(F.pad(grid, (1, 1, 1, 1), value=float("-inf")), 4, 4)
        first, second = (layer for layer in network.neck if isinstance(layer, nn.Linear))
        hidden = (four.reshape(1, -1) @ first.weight.T + first.bias).clamp(min=0)
        expected = (hidden @ second.weight.T + second.bias).clamp(min=0)
        torch.testing.assert_close(pooled, expected, **close(expected, terms_of(network.neck)))


@torch.no_grad()
def test_attention_is_between_stem_and_body() -> None:
    torch.manual_seed(0)
    model, x = DattaSoftAttentionNet("datta_resnet34", num_classes=2).eval(), seeded(4, 1, 3, 64, 64)
    stem = model.backbone.stem(x)
    assert isinstance(model.soft, SoftAttentionBlock)
    attended = model.soft.attention(stem).feature_map
    concatenated = torch.cat([F.max_pool2d(stem, 2), F.max_pool2d(attended, 2)], dim=1).clamp(min=0)
    expected = model.backbone.body(concatenated)
    torch.testing.assert_close(
        model.forward_features(x).feature_map, expected, **close(expected, terms_of(model))
    )


@pytest.mark.slow
def test_state_dict_and_backbone_file_round_trip(tmp_path: Path) -> None:
    first, second = (DattaSoftAttentionNet("datta_resnet34", num_classes=2).eval() for _ in range(2))
    x = seeded(5, 1, 3, 64, 64)
    torch.save(first.backbone.state_dict(), tmp_path / "trunk.pth")
    new = load_backbone_weights(second, str(tmp_path / "trunk.pth"), backbone="datta_resnet34")
    assert set(new) == {key for key in second.state_dict() if not key.startswith("backbone.")}
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x).logits, second(x).logits)


def test_there_are_no_imagenet_weights() -> None:
    with pytest.raises(WeightsError, match="no ImageNet weights of 'datta_resnet34'"):
        load_backbone_weights(on_meta(DattaNet, "datta_resnet34"), "imagenet", backbone="datta_resnet34")


def test_errors_say_what_is_allowed() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'datta_vgg16'\?"):
        DattaNet("data_vgg16", num_classes=2)
    with pytest.raises(ModelError, match=r"drop_rate, heads.*attention=soft: dropout"):
        DattaNet("datta_vgg16", num_classes=2, heads=4, drop_rate=0.1)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (2, 2), (4, 4)])
def test_padding_is_that_of_keras(kernel: int, stride: int) -> None:
    """TensorFlow's rule: as many pixels as ⌈size / stride⌉ windows need, an odd one at the end."""
    for size in (1, 2, 5, 14, 15):
        column = pad_same(torch.ones(1, 1, size, size), kernel_size=kernel, stride=stride).amax(dim=3)[0, 0]
        missing = max(kernel - (size % stride or stride), 0)
        before = missing // 2
        assert column.tolist() == [0.0] * before + [1.0] * size + [0.0] * (missing - before)


def test_pooling_by_four_pads_fourteen_pixels_by_one() -> None:
    x = -torch.arange(1.0, 15.0)[None, None, :, None].expand(1, 1, 14, 14)
    assert SamePadMaxPool2d(4, 4)(x)[0, 0, :, 0].tolist() == [-1.0, -4.0, -8.0, -12.0]


def test_relu_comes_before_batch_norm() -> None:
    layer = ConvReLUBatchNorm(1, 1, kernel_size=1)
    nn.init.ones_(layer.conv.weight)
    nn.init.zeros_(layer.conv.bias)  # type: ignore[arg-type]
    y = layer(torch.tensor([-2.0, 0.0, 1.0, 5.0]).reshape(1, 1, 2, 2)).flatten()
    positive = torch.tensor([0.0, 0.0, 1.0, 5.0])
    expected = (positive - 1.5) / (4.25 + 1e-3) ** 0.5  # Keras' epsilon
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(layer.norm.running_mean, torch.tensor([0.015]))  # and Keras' momentum, 0.99
