"""Operations of backbones, against published counts and a network counted manually."""

import pytest
import torch

from lesionlens.models.factory import make_model_spec
from lesionlens.models.spec import ModelSpec
from lesionlens.models.zoo import ZOO
from lesionlens.reproduction.operations import count_operations


@pytest.mark.parametrize(
    ("backbone", "giga_multiply_adds"),  # He et al. 2016, table 1; Sandler et al. 2018, table 4
    [("resnet50", 4.1), ("resnet18", 1.8), ("mobilenetv2_100", 0.3)],
)
def test_counts_are_those_of_the_papers(backbone: str, giga_multiply_adds: float) -> None:
    operations = count_operations(ModelSpec(backbone), (224, 224))
    assert operations == pytest.approx(2e9 * giga_multiply_adds, rel=0.05)


def test_crops_and_blocks_count() -> None:
    size = (64, 64)
    one = count_operations(ModelSpec("resnet50"), size)
    crops = make_model_spec("patch_densenet121_initial16")
    assert count_operations(crops, size) == 16 * count_operations(ModelSpec("densenet121.tv_in1k"), size)
    assert count_operations(ModelSpec("resnet50", "arl", {"layers": [1, 1, 1, 1]}), size) < one / 2


@pytest.mark.slow
@pytest.mark.parametrize("backbone", sorted({entry.backbone for entry in ZOO.values()}))
def test_every_backbone_of_the_papers_is_counted(backbone: str) -> None:
    before = torch.get_rng_state()
    assert count_operations(ModelSpec(backbone), (224, 224)) > 1e9
    assert torch.equal(torch.get_rng_state(), before)
