"""A small synthetic dataset with masks, and a network that needs no training."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.models import (
    LoadedSegmentationModel,
    SegmentationModelCard,
    SegmentationModelSpec,
)
from lesionlens.synthesis.dataset import generate_dataset


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 24 small synthetic images in the layout of HAM10000, with masks."""
    return generate_dataset(tmp_path_factory.mktemp("segment") / "ham", num_images=24, seed=5, size=(48, 64))


class Dark(nn.Module):
    """Network that segments what is darker than mid-gray."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.middle - x.mean(dim=1, keepdim=True)


@pytest.fixture
def dark() -> LoadedSegmentationModel:
    """Return a network with known masks, for inputs of 32 by 48 pixels."""
    preprocessing = Preprocessing(input_size=(32, 48), max_short_side=None, mean=(0, 0, 0), std=(1, 1, 1))
    return LoadedSegmentationModel(
        Dark(),
        SegmentationModelCard(
            architecture=SegmentationModelSpec(), preprocessing=preprocessing, keep_largest_component=True
        ),
        "digest",
    )
