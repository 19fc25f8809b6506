"""Soft attention on timm's backbones, at any of their stages."""

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

from lesionlens.core.errors import WeightsError
from lesionlens.models import backbone
from lesionlens.models import backbone as stages
from lesionlens.models.soft_attention import AdaptiveFlatten, SoftAttentionNet
from lesionlens.models.weights import load_backbone_weights

from ..helpers.tolerances import close, terms_of


def seeded(seed: int = 0, *size: int) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet", "test_vit"])
def test_every_stage_of_any_backbone(name: str) -> None:
    size = (160, 160) if name == "test_vit" else (71, 49)
    for stage in (None, *(tap.name for tap in stages.list_stages(backbone.meta_model(name)))):
        model = SoftAttentionNet(name, num_classes=3, stage=stage).eval()
        features = model.forward_features(seeded(0, 2, 3, *size), maps=True)
        height, width = features.maps["soft"].shape[1:]
        grid = (2, model.num_features, (height + 1) // 2, (width + 1) // 2)
        assert tuple(features.feature_map.shape) == grid
        assert len(features.maps) == 17
        assert tuple(model.forward_head(features).shape) == (2, 3)


def test_tapped_feature_map_equals_timm() -> None:
    """The reference is timm's forward with the same weights."""
    for stage, theirs in ((None, "layer4"), ("layer2", "layer2")):
        model = SoftAttentionNet("test_resnet", num_classes=2, stage=stage).eval()
        full_model = timm.create_model("test_resnet", num_classes=0).eval()
        full_model.load_state_dict(model.backbone.state_dict(), strict=False)
        x = seeded(1, 2, 3, 64, 64)
        tapped = timm.models.FeatureListNet(full_model, out_indices=(2 if theirs == "layer2" else 4,))(x)[-1]
        expected = model.soft(tapped).feature_map
        actual = model.forward_features(x).feature_map
        torch.testing.assert_close(actual, expected, **close(expected, terms_of(model)))


def test_head_averages_or_flattens() -> None:
    averaged = SoftAttentionNet("test_resnet", num_classes=2).eval()
    flat = SoftAttentionNet("test_resnet", num_classes=2, flatten=2).eval()
    features = flat.forward_features(seeded(2, 2, 3, 96, 96))  # a feature map of 2 by 2
    torch.testing.assert_close(flat.pool(features), features.feature_map.reshape(2, -1), rtol=0, atol=0)
    torch.testing.assert_close(averaged.pool(features), features.feature_map.sum(dim=(2, 3)) / 4)
    assert (averaged.num_features, flat.num_features) == (192, 768)
    assert averaged.linear_head_weight() is averaged.head.weight
    assert flat.linear_head_weight() is None
    assert tuple(flat(seeded(2, 1, 3, 203, 60)).logits.shape) == (1, 2)


@pytest.mark.parametrize("mode", ["paper", "authors", "uniform"])
@pytest.mark.parametrize("flatten", [None, 4])
def test_gradients_reach_every_parameter(mode: str, flatten: int | None) -> None:
    torch.manual_seed(0)
    model = SoftAttentionNet(
        "test_resnet", num_classes=3, mode=mode, flatten=flatten, dropout=0.0, zero_init_last=False
    )
    nn.functional.cross_entropy(model(seeded(3, 4, 3, 96, 96)).logits, torch.tensor([0, 1, 2, 0])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        cancels = (
            mode == "paper" and key == "soft.attention.conv.bias"
        )  # a softmax over positions does not depend on it
        assert cancels or bool((parameter.grad != 0).any()), key


@pytest.mark.parametrize("mode", ["paper", "authors", "uniform"])
def test_layout_and_precision(mode: str) -> None:
    torch.manual_seed(0)
    model, x = (
        SoftAttentionNet("test_resnet", num_classes=3, mode=mode, stage="layer3").eval(),
        seeded(4, 1, 3, 65, 47),
    )
    reference = model(x, maps=True)
    last = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last), maps=True)
    torch.testing.assert_close(last.logits, reference.logits, **close(reference.logits, terms_of(model)))
    theirs = reference.maps["soft"]
    torch.testing.assert_close(last.maps["soft"], theirs, **close(theirs, terms_of(model)))
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x, maps=True)
    assert half.maps["soft"].dtype == torch.float32
    torch.testing.assert_close(half.logits.float(), reference.logits, rtol=0.1, atol=0.02)


def test_state_dict_round_trip() -> None:
    first, second = (SoftAttentionNet("test_resnet", num_classes=3, flatten=4).eval() for _ in range(2))
    x = seeded(5, 2, 3, 64, 64)
    assert not torch.equal(first(x).logits, second(x).logits)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x).logits, second(x).logits)


@pytest.mark.parametrize("stage", [None, "layer3"])
def test_imagenet_weights_fill_the_backbone(stage: str | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("test_resnet").state_dict()
    torch.save(theirs, tmp_path / "weights.pth")
    model = SoftAttentionNet("test_resnet", num_classes=2, stage=stage)
    new = load_backbone_weights(model, str(tmp_path / "weights.pth"), backbone="test_resnet")
    assert set(new) == {key for key in model.state_dict() if not key.startswith("backbone.")}
    own = model.backbone.state_dict()
    assert set(own) == set(theirs) - model.discarded_keys
    assert all(torch.equal(own[key], theirs[key]) for key in own)


def test_weights_of_another_backbone_raise(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_efficientnet").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="do not match this network"):
        load_backbone_weights(
            SoftAttentionNet("test_resnet", num_classes=2),
            str(tmp_path / "weights.pth"),
            backbone="test_resnet",
        )


def test_flatten_at_the_fixed_size() -> None:
    grid = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(AdaptiveFlatten(4)(grid), grid.reshape(2, 48))


def test_flatten_averages_other_sizes() -> None:
    grid = torch.arange(32.0).reshape(1, 1, 4, 8)
    expected = torch.stack(
        [grid[0, 0, 2 * r : 2 * r + 2, 4 * s : 4 * s + 4].mean() for r in (0, 1) for s in (0, 1)]
    )
    torch.testing.assert_close(AdaptiveFlatten(2)(grid)[0], expected)
    torch.testing.assert_close(AdaptiveFlatten(4)(torch.full((1, 2, 1, 1), 3.0)), torch.full((1, 32), 3.0))
