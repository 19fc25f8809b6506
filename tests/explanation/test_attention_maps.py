import numpy as np
import pytest
import torch

from lesionlens.core.errors import ModelError
from lesionlens.explanation.attention_maps import attention_feature_maps, attention_maps, head_maps
from lesionlens.explanation.methods import compute_maps_by_name
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.base import TimmClassifier
from lesionlens.models.factory import create_model

from ..helpers.tolerances import close, terms_of

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def arl() -> ARLResNet:
    return ARLResNet("test_resnet", num_classes=2)


def test_arl_masks_of_every_stage_sum_to_one(arl: ARLResNet) -> None:
    maps = attention_maps(arl, IMAGES)
    assert list(maps) == ["layer1", "layer2", "layer3", "layer4"]
    for values in maps.values():
        torch.testing.assert_close(values.sum(dim=(1, 2)), torch.ones(2))
        assert not values.requires_grad


def test_network_without_attention_raises() -> None:
    with pytest.raises(ModelError, match="gradcam"):
        attention_maps(TimmClassifier("test_resnet", num_classes=2), IMAGES)


def test_auto_is_attention_and_gradcam(arl: ARLResNet) -> None:
    assert list(compute_maps_by_name(arl, IMAGES)) == ["layer1", "layer2", "layer3", "layer4", "gradcam"]
    assert list(compute_maps_by_name(TimmClassifier("test_resnet", num_classes=2), IMAGES)) == ["gradcam"]


@pytest.mark.parametrize(
    ("attention", "options", "names"),
    [
        ("gate", {}, ["gate-layer2", "gate-layer3"]),
        ("ran", {}, ["ran-layer1", "ran-layer2", "ran-layer3"]),
        ("soft", {}, ["soft"]),
    ],
)
def test_names_by_mechanism(attention: str, options: dict, names: list[str]) -> None:
    model = create_model(backbone="test_resnet", attention=attention, num_classes=2, **options)
    maps = attention_maps(model, IMAGES)
    assert list(maps) == names
    expected_maps = list(model.eval()(IMAGES, maps=True).maps.values())
    for actual, expected in zip(maps.values(), expected_maps, strict=False):
        torch.testing.assert_close(actual, expected.detach(), **close(expected, terms_of(model)))


def test_crop_weights_and_maps_of_the_inner_network() -> None:
    options = {"crops": 2, "initial": True, "end": True}
    model = create_model(backbone="test_resnet", attention="patch+gate", num_classes=2, **options)
    maps = attention_maps(model, torch.stack([IMAGES, IMAGES.flip(3)], dim=1))
    assert {name: tuple(values.shape) for name, values in maps.items()} == {
        "initial-crops": (2, 2),
        "gate-layer2": (2, 2, 8, 8),
        "gate-layer3": (2, 2, 4, 4),
        "end-crops": (2, 2),
    }


def test_heads_sum_to_the_soft_map() -> None:
    model = create_model(backbone="test_resnet", attention="soft", num_classes=2, heads=3)
    heads = head_maps(model, IMAGES)["soft-heads"]
    assert heads.shape == (2, 3, 2, 2)
    expected = attention_maps(model, IMAGES)["soft"]
    torch.testing.assert_close(heads.sum(dim=1), expected, **close(expected, terms_of(model)))
    assert list(compute_maps_by_name(model, IMAGES)) == ["soft", "gradcam"]
    assert list(compute_maps_by_name(model, IMAGES, methods=("heads",))) == ["soft-heads"]


def test_attention_feature_maps_are_mask_times_identity(arl: ARLResNet) -> None:
    """Reference: equation 8 in numpy, from the input of each block that a hook records."""
    network = ARLResNet("test_resnet", num_classes=2).eval()
    for weights in network.parameters():  # norms initialized to zero would make constant maps
        if not weights.any():
            weights.data.normal_()
    inputs = {}
    for name, block in network.arl_blocks():
        block.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0]}))
    with torch.no_grad():
        network(IMAGES)
        maps = attention_feature_maps(network, IMAGES)
        assert list(maps) == [f"features-{name}" for name, _ in network.arl_blocks()]
        for name, block in network.arl_blocks():
            x = inputs[name]
            f = block.residual(x).double().numpy()
            identity = (x if block.downsample is None else block.downsample(x)).double().numpy()
            mask = np.exp(f) / np.exp(f).sum(axis=(2, 3), keepdims=True)
            expected = (mask * identity).mean(axis=1)
            np.testing.assert_allclose(
                maps[f"features-{name}"], expected, rtol=1e-3, atol=1e-5 * expected.std()
            )
    assert attention_feature_maps(arl, IMAGES)["features-layer1.0"].shape == (2, 16, 16)


def test_attention_feature_maps_without_arl_raise() -> None:
    with pytest.raises(ModelError, match="attention=arl"):
        attention_feature_maps(TimmClassifier("test_resnet", num_classes=2), IMAGES)


def test_heads_without_soft_attention_raise(arl: ARLResNet) -> None:
    with pytest.raises(ModelError, match="attention=soft"):
        head_maps(arl, IMAGES)


def test_maps_are_in_the_order_of_the_methods(arl: ARLResNet) -> None:
    methods = ("cam", "gradcam++", "gradcam", "cam", "layercam")
    assert list(compute_maps_by_name(arl, IMAGES, methods=methods)) == [
        "cam",
        "gradcampp",
        "gradcam",
        "layercam",
    ]


def test_unknown_method_names_the_nearest(arl: ARLResNet) -> None:
    with pytest.raises(ModelError, match="did you mean 'gradcam'"):
        compute_maps_by_name(arl, IMAGES, methods=("grad-cam",))
