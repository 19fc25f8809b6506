"""The paper's taps in ImageNet backbones: Keras' parameter counts, and feature maps of timm's full networks."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.backbone import meta_device
from lesionlens.models.soft_attention import SoftAttentionNet
from lesionlens.models.weights import load_backbone_weights

from ..helpers.tolerances import close, terms_of

WITHIN_IRV2 = "repeat_2.8.branch0"
WITHIN_DENSENET = "features.denseblock4.denselayer29.norm2"
DATTA: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet50": ("resnet50", {}),
    "densenet201": ("densenet201", {"flatten": 4}),
    "densenet201_authors": ("densenet201", {"stage": WITHIN_DENSENET, "flatten": 4}),
    "irv2": ("inception_resnet_v2", {"stage": "repeat_2", "flatten": 4}),
    "irv2_authors": ("inception_resnet_v2", {"stage": WITHIN_IRV2, "flatten": 4}),
    "irv2_12": ("inception_resnet_v2", {"stage": "repeat_1", "flatten": 6}),
    "irv2_5": ("inception_resnet_v2", {"stage": "repeat_2", "flatten": 3}),
}


def seeded(seed: int = 0, *size: int) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))


def on_meta(name: str, **options: Any) -> SoftAttentionNet:
    network, tap_options = DATTA[name]
    with meta_device():
        return SoftAttentionNet(network, **{"num_classes": 7, **tap_options, **options})


def count_norm_channels(model: nn.Module) -> int:
    """Return the total number of channels of all batch norms."""
    return sum(m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def test_inception_resnet_parameters_equal_keras() -> None:
    """Keras trains no gammas there (scale=False): timm has one more parameter for each normalized channel."""
    model = on_meta("irv2_authors", mode="authors")
    assert count_norm_channels(model) == 27_200
    assert backbone.count_parameters(model) == 47_480_887 + 27_200 == 47_508_087
    assert 47_480_887 + 2 * 27_200 == 47_535_287  # the total: a moving mean and variance for each channel


def test_densenet_parameters_equal_keras() -> None:
    """Keras' total includes a moving mean and variance for each normalized channel, besides gamma and beta."""
    model = on_meta("densenet201_authors", mode="authors")
    growth = {block: range(count) for block, count in ((64, 6), (128, 12), (256, 48))}
    layers = sum(width + 32 * n + 128 for width, counts in growth.items() for n in counts)
    last = sum(896 + 32 * n + 128 for n in range(29))  # 29 of the fourth block's 32 layers
    channels = 64 + layers + (256 + 512 + 1792) + last  # stem, three blocks, their transitions, the fourth
    assert count_norm_channels(model) == channels == 106_656
    assert backbone.count_parameters(model) == 17_477_463 - 2 * channels == 17_264_151


def test_resnet50_parameters_equal_keras() -> None:
    """Keras' convolutions have an additional bias for each normalized channel, which timm's do not have."""
    model = on_meta("resnet50", mode="authors")
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        channels += blocks * (width + width + 4 * width) + 4 * width  # and once a projection
    assert count_norm_channels(model) == channels == 26_560
    assert backbone.count_parameters(model) == 23_911_319 - (2 + 1) * channels == 23_831_639


def test_paper_mode_adds_only_gamma() -> None:
    name = "resnet50"
    model = on_meta(name)
    assert backbone.count_parameters(model) == backbone.count_parameters(on_meta(name, mode="authors")) + 1
    assert model.attention_scales == ("soft.attention.gamma",)
    assert dict(model.named_parameters())["soft.attention.gamma"].shape == ()
    assert on_meta(name, mode="authors").attention_scales == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DATTA if name != "resnet50"])
def test_imagenet_weights_fill_the_backbone(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, options = DATTA[name]
    theirs = timm.create_model(network).state_dict()
    torch.save(theirs, tmp_path / "weights.pth")
    model = SoftAttentionNet(network, num_classes=2, **options)
    new = load_backbone_weights(model, str(tmp_path / "weights.pth"), backbone=network)
    assert set(new) == {key for key in model.state_dict() if not key.startswith("backbone.")}
    own = model.backbone.state_dict()
    assert set(own) == set(theirs) - model.discarded_keys
    assert all(torch.equal(own[key], theirs[key]) for key in own)


def build_pair(name: str, size: int) -> tuple[SoftAttentionNet, Any, Tensor]:
    """Return one of the paper's networks, timm's full network with the same weights, and an image."""
    torch.manual_seed(0)
    network, options = DATTA[name]
    model = SoftAttentionNet(network, num_classes=2, mode="authors", **options).eval()
    full_model = timm.create_model(network, num_classes=0).eval()
    full_model.load_state_dict(model.backbone.state_dict(), strict=False)
    return model, full_model, seeded(6, 1, 3, size, size)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "size", "path", "grid", "tap"),
    [
        ("irv2_authors", 299, "repeat_2.8.branch0.conv", (384, 4, 4), (8, 8)),
        ("irv2", 299, "repeat_2", (4160, 4, 4), (8, 8)),
        ("irv2_12", 224, "repeat_1", (2176, 6, 6), (12, 12)),
        ("irv2_5", 224, "repeat_2", (4160, 3, 3), (5, 5)),
        ("densenet201_authors", 224, "features.denseblock4.denselayer29.norm2", (256, 4, 4), (7, 7)),
        ("densenet201", 224, "features.norm5", (3840, 4, 4), (7, 7)),
        ("resnet50", 224, "layer4", (4096, 4, 4), (7, 7)),
    ],
)
def test_taps_of_the_paper(
    name: str, size: int, path: str, grid: tuple[int, ...], tap: tuple[int, int]
) -> None:
    """The reference is the output of that module in timm's full network."""
    model, full_model, x = build_pair(name, size)
    outputs: list[Tensor] = []
    full_model.get_submodule(path).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.clone())
    )
    full_model.forward_features(x)
    expected = outputs[0]
    if path.endswith("branch0.conv"):  # the batch norm before the ReLU, computed from its parameters
        norm = full_model.get_submodule("repeat_2.8.branch0.bn")
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        expected = expected * scale[:, None, None] + shift[:, None, None]
        assert bool((expected < 0).any())
    features = model.forward_features(x, maps=True)
    attended = model.soft(expected).feature_map
    torch.testing.assert_close(features.feature_map, attended, **close(attended, terms_of(model)))
    assert tuple(features.feature_map.shape[1:]) == grid
    assert tuple(features.maps["soft"].shape[1:]) == tap
    assert model.num_features == (grid[0] if name == "resnet50" else grid[0] * grid[1] * grid[2])


@pytest.mark.slow
@pytest.mark.parametrize("name", DATTA)
def test_the_papers_networks_take_other_sizes_and_learn(name: str) -> None:
    torch.manual_seed(0)
    network, options = DATTA[name]
    model = SoftAttentionNet(network, num_classes=2, **options)
    logits = model(seeded(7, 2, 3, 131, 107)).logits
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_unknown_stage_lists_existing_stages() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'layer3'\?.*layer1, layer2"):
        SoftAttentionNet("test_resnet", num_classes=2, stage="layer_3")
    with pytest.raises(ModelError, match=r"repeat_1, repeat_2, repeat_2\.8\.branch0"):
        SoftAttentionNet("inception_resnet_v2", num_classes=2, stage="block8")
