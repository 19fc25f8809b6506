"""What is changed in timm's backbones."""

import pytest
import timm
import torch

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone as stages
from lesionlens.models.backbone import create_backbone
from lesionlens.models.base import TimmClassifier


def test_a_densenet_loses_its_last_relu_and_others_have_none() -> None:
    torch.manual_seed(0)
    model = TimmClassifier("densenet121", num_classes=2).eval()
    without = TimmClassifier("densenet121", num_classes=2, last_relu=False).eval()
    without.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64)
    grid = without.forward_features(x).feature_map
    assert float(grid.detach().min()) < 0
    torch.testing.assert_close(model.forward_features(x).feature_map, grid.clamp_min(0))
    with pytest.raises(ModelError, match=r"last_relu=False is for DenseNets.*'test_resnet' is none"):
        TimmClassifier("test_resnet", num_classes=2, last_relu=False)


@pytest.mark.parametrize(
    ("name", "taps"),
    [
        ("vgg11_bn", ["pool3", "pool4"]),
        ("resnet18", ["layer2", "layer3"]),
        ("mobilenetv2_100", ["blocks.2", "blocks.4"]),
        ("convnext_atto", ["stages.1", "stages.2"]),
        ("swin_tiny_patch4_window7_224", ["layers.1", "layers.2"]),
        ("vit_tiny_patch16_224", ["blocks.5", "blocks.8"]),
    ],
)
def test_default_taps_are_a_quarter_and_a_half_of_the_depth(name: str, taps: list[str]) -> None:
    with torch.device("meta"):
        trunk = create_backbone(name, num_classes=2)
    assert [stages.list_stages(trunk)[place].name for place in stages.default_taps(trunk)] == taps


@pytest.mark.parametrize(
    "name", ["test_efficientnet", "test_resnet", "test_convnext", "mobilenetv3_small_050"]
)
def test_without_its_head_a_backbone_gives_the_same_grid(name: str) -> None:
    """The witness is timm's own forward_features."""
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=3).eval()
    trunk, dropped = stages.truncated_backbone(name)
    kept = {key: value for key, value in theirs.state_dict().items() if key not in dropped}
    trunk.eval().load_state_dict(kept)
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        grid, _ = stages.forward_stages(trunk, x, (0,))
        torch.testing.assert_close(grid, theirs.forward_features(x), rtol=0, atol=0)


@pytest.mark.parametrize(("until", "width", "size"), [("layer2", 48, (8, 12)), ("layer4", 96, (2, 3))])
def test_ends_with_a_stage(until: str, width: int, size: tuple[int, int]) -> None:
    trunk, dropped = stages.truncated_backbone("test_resnet", last_stage=until)
    place = stages.stage_index(trunk, until)
    _, (grid,) = stages.forward_stages(trunk.eval(), torch.rand(1, 3, 64, 96), (place,))
    assert grid.shape == (1, width, *size)
    assert any(key.startswith("layer3") for key in dropped) == (until == "layer2")


def test_an_unknown_stage_lists_those_that_there_are() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'layer2'\? Allowed: act1, layer1"):
        stages.truncated_backbone("test_resnet", last_stage="layer22")


def test_a_backbone_without_stages_is_refused() -> None:
    with pytest.raises(ModelError, match="no intermediate features of Linear"):
        stages.list_stages(torch.nn.Linear(1, 1))
