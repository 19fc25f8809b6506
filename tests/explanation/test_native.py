import pytest
import torch

from lesionlens.errors import ModelError
from lesionlens.explanation.methods import maps_of
from lesionlens.explanation.native import native_maps
from lesionlens.models.arl import ARL
from lesionlens.models.plain import Plain

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def arl() -> ARL:
    return ARL("test_resnet", num_classes=2)


def test_arl_masks_of_every_stage_sum_to_one(arl: ARL) -> None:
    maps = native_maps(arl, IMAGES)
    assert list(maps) == ["layer1", "layer2", "layer3", "layer4"]
    for found in maps.values():
        torch.testing.assert_close(found.sum(dim=(1, 2)), torch.ones(2))
        assert not found.requires_grad


def test_plain_network_has_none_and_the_error_says_what_works() -> None:
    with pytest.raises(ModelError, match="gradcam"):
        native_maps(Plain("test_resnet", num_classes=2), IMAGES)


def test_auto_is_native_where_there_are_maps_and_always_gradcam(arl: ARL) -> None:
    assert list(maps_of(arl, IMAGES)) == ["layer1", "layer2", "layer3", "layer4", "gradcam"]
    assert list(maps_of(Plain("test_resnet", num_classes=2), IMAGES)) == ["gradcam"]


def test_methods_are_made_in_the_order_asked_for(arl: ARL) -> None:
    assert list(maps_of(arl, IMAGES, methods=("cam", "gradcam", "cam"))) == ["cam", "gradcam"]


def test_unknown_method_names_the_nearest(arl: ARL) -> None:
    with pytest.raises(ModelError, match="did you mean 'gradcam'"):
        maps_of(arl, IMAGES, methods=("grad-cam",))
