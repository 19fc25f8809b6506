"""Errors for unknown names and options, features as feature maps, and initial scores."""

import pytest
import torch

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.factory import create_model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "arl_cn50"}, "did you mean 'arl_cnn50'"),
        ({"backbone": "resnet5O"}, "did you mean 'resnet50'"),
        ({"backbone": "resnet18", "attention": "alr"}, "did you mean 'arl'"),
        ({}, "pass either"),
        ({"name": "resnet14", "backbone": "resnet18"}, "pass either"),
        ({"name": "arl_cnn14", "attention": "none"}, "pass backbone= instead"),
        (
            {"backbone": "resnet18", "depth": 3},
            "neither the attention mechanism nor the backbone 'resnet18' has an opt",
        ),
        ({"backbone": "resnet18", "drop_ratee": 0.2}, "has an option 'drop_ratee': did you mean 'drop_rate'"),
        ({"backbone": "resnet18", "attention": "arl", "alhpa": 1}, "has an option 'alhpa'"),
        ({"backbone": "resnet18", "in_chans": -1}, "cannot be built with options in_chans=-1"),
        ({"backbone": "resnet18", "drop_rate": 5}, "drop_rate=5 is not a rate"),
        (
            {"backbone": "resnet18", "checkpoint_path": "/w.pth"},
            "checkpoint_path .* reads files.*model.weights",
        ),
        ({"backbone": "resnet18", "pretrained_cfg": {"file": "/w"}}, "pretrained_cfg .* reads files"),
        ({"backbone": "resnet18", "pretrained": True}, "pretrained .* reads files"),
        ({"backbone": "resnet18", "cache_dir": "/tmp"}, "cache_dir .* reads files"),
        ({"backbone": "resnet18", "attention": "patch+gate", "pretrained_strict": False}, "reads files"),
        (
            {"backbone": "resnet18", "attention": "gate", "taps": 5},
            "gate on resnet18 cannot be built with options taps=5",
        ),
        (
            {"backbone": "resnet18", "attention": "arl", "alpha": "x"},
            "cannot be built with options alpha='x'",
        ),
        (
            {"backbone": "test_resnet", "attention": "patch", "after": 3},
            "cannot be built with options after=3",
        ),
        (
            {"backbone": "test_resnet", "attention": "patch", "combine": "gru", "gru_bidirectional": "maybe"},
            "gru_bidirectional='maybe'",
        ),
        ({"backbone": "resnet18.nope"}, r"Invalid pretrained tag \(nope\)"),
        ({"backbone": "mobilenet_v2"}, "did you mean 'mobilenetv2_100'.*lesionlens models --backbones"),
        ({"backbone": "EfficientNet-B0"}, "did you mean 'efficientnet_b0'"),
        (
            {"backbone": "hf-hub:timm/resnet18"},
            "unknown backbone 'hf-hub:timm/resnet18': did you mean 'resnet18'",
        ),
        ({"backbone": "local-dir:/tmp"}, "unknown backbone"),
        ({"backbone": "deit_tiny_distilled_patch16_224"}, "second head.*deit_tiny_patch16_224"),
        ({"backbone": "resnet18", "attention": "gate", "taps": ("layer9",)}, "Allowed: act1, layer1"),
        (
            {"backbone": "hrnet_w18_small", "attention": "gate"},
            "ends with 4 feature maps.*ViT and Swin families",
        ),
        ({"backbone": "mixer_s16_224", "attention": "soft"}, "not form a feature map.*ViT and Swin families"),
        ({"backbone": "resnet18", "attention": "gate", "taps": ()}, "needs at least one earlier stage"),
        ({"backbone": "test_resnet", "attention": "soft", "heads": 0}, "heads=0"),
        ({"backbone": "test_resnet", "attention": "soft", "dropout": 2.0}, "dropout=2.0"),
        ({"backbone": "test_resnet", "attention": "soft", "flatten": 0}, "flatten=0"),
        ({"backbone": "resnet18", "attention": "patch", "crops": "nine"}, "crops='nine' is not allowed"),
        ({"backbone": "datta_vgg16", "attention": "gate"}, "attention for datta_vgg16 'gate'.*none, patch"),
        ({"name": "arl_cnn14", "normalization": "softmax"}, "Allowed: area, channel, sigmoid, spatial"),
    ],
)
def test_errors(options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        create_model(num_classes=2, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "size"),
    [("test_resnet", (3, 5)), ("test_vit", (10, 10)), ("test_convnext", (3, 5))],
)
def test_features_are_converted_to_a_feature_map(name: str, size: tuple[int, int]) -> None:
    model = create_model(backbone=name, num_classes=2).eval()
    x = torch.rand(1, 3, 160, 160) if name == "test_vit" else torch.rand(1, 3, 96, 160)
    grid = backbone.to_nchw(
        model.forward_features(x).feature_map, model.backbone, image_size=(x.shape[2], x.shape[3])
    )
    assert grid.shape == (1, model.backbone.num_features, *size)


def test_swin_features_are_converted() -> None:
    small = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)}
    model = create_model(backbone="swin_tiny_patch4_window7_224", num_classes=2, **small).eval()
    assert backbone.to_nchw(
        model.forward_features(torch.rand(1, 3, 224, 224)).feature_map, model.backbone, image_size=(224, 224)
    ).shape == (1, 128, 7, 7)


@pytest.mark.parametrize("name", ["mobilenetv2_100", "test_resnet", "test_vit", "test_convnext"])
def test_initial_scores_are_nearly_uniform(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(backbone=name, num_classes=3).train()  # batch statistics are those of the input
    with torch.no_grad():
        scores = model(torch.rand(4, 3, 160, 160)).logits.softmax(dim=1)
    assert float((scores - 1 / 3).abs().max()) < 0.2


def test_linear_head_weight() -> None:
    weight = create_model(backbone="mobilenetv2_100", num_classes=3).linear_head_weight()
    assert weight is not None
    assert weight.shape == (3, 1280)
    assert create_model(backbone="test_vit", num_classes=3).linear_head_weight() is None
