"""Changes to timm's backbones: final ReLU, taps and truncation."""

import pytest
import timm
import torch

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone as stages
from lesionlens.models.backbone import create_backbone, meta_device
from lesionlens.models.base import TimmClassifier

from ..helpers.tolerances import close, terms_of


def test_final_relu_is_removed_only_from_densenets() -> None:
    torch.manual_seed(0)
    model = TimmClassifier("densenet121", num_classes=2).eval()
    without_relu = TimmClassifier("densenet121", num_classes=2, last_relu=False).eval()
    without_relu.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64)
    grid = without_relu.forward_features(x).feature_map
    assert float(grid.detach().min()) < 0
    features = model.forward_features(x).feature_map
    torch.testing.assert_close(features, grid.clamp_min(0), **close(grid, terms_of(model)))
    with pytest.raises(ModelError, match=r"last_relu=False is only for DenseNets.*'test_resnet' is not one"):
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
    with meta_device():
        trunk = create_backbone(name, num_classes=2)
    assert [stages.list_stages(trunk)[index].name for index in stages.default_taps(trunk)] == taps


@pytest.mark.parametrize(
    "name", ["test_efficientnet", "test_resnet", "test_convnext", "mobilenetv3_small_050"]
)
def test_truncation_does_not_change_the_feature_map(name: str) -> None:
    """The reference is timm's forward_features."""
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=3).eval()
    trunk, discarded = stages.truncated_backbone(name)
    state = {key: value for key, value in theirs.state_dict().items() if key not in discarded}
    trunk.eval().load_state_dict(state)
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        grid, _ = stages.forward_stages(trunk, x, (0,))
        torch.testing.assert_close(grid, theirs.forward_features(x), rtol=0, atol=0)


@pytest.mark.parametrize(("last_stage", "width", "size"), [("layer2", 48, (8, 12)), ("layer4", 96, (2, 3))])
def test_ends_with_a_stage(last_stage: str, width: int, size: tuple[int, int]) -> None:
    trunk, discarded = stages.truncated_backbone("test_resnet", last_stage=last_stage)
    index = stages.stage_index(trunk, last_stage)
    _, (grid,) = stages.forward_stages(trunk.eval(), torch.rand(1, 3, 64, 96), (index,))
    assert grid.shape == (1, width, *size)
    assert any(key.startswith("layer3") for key in discarded) == (last_stage == "layer2")


def test_unknown_stage_lists_existing_stages() -> None:
    with pytest.raises(ModelError, match=r"did you mean 'layer2'\? Allowed: act1, layer1"):
        stages.truncated_backbone("test_resnet", last_stage="layer22")


def test_backbone_without_stages_raises() -> None:
    with pytest.raises(ModelError, match="not provide intermediate features of Linear"):
        stages.list_stages(torch.nn.Linear(1, 1))
