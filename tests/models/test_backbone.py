"""What is changed in timm's backbones."""

import pytest
import torch

from lesionlens.core.errors import ModelError
from lesionlens.models.base import TimmClassifier


def test_a_densenet_loses_its_last_relu_and_others_have_none() -> None:
    torch.manual_seed(0)
    model = TimmClassifier("densenet121", num_classes=2).eval()
    without = TimmClassifier("densenet121", num_classes=2, last_relu=False).eval()
    without.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64)
    grid = without.forward_features(x).grid
    assert float(grid.detach().min()) < 0
    torch.testing.assert_close(model.forward_features(x).grid, grid.clamp_min(0))
    with pytest.raises(ModelError, match=r"last_relu=False is for DenseNets.*'test_resnet' is none"):
        TimmClassifier("test_resnet", num_classes=2, last_relu=False)
