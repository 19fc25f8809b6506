"""Zoo entries: parameter counts, operations, sources and listing."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from lesionlens.core.errors import ModelError
from lesionlens.models import backbone
from lesionlens.models.factory import create_model, make_model_spec
from lesionlens.models.zoo import ALL_COLUMNS, ZOO, get_entry, zoo_markdown, zoo_rows
from lesionlens.runs.recipe_files import builtin_recipes

FROM_THE_SOURCES = {  # (name, number of classes): parameters of the authors' networks
    ("resnet50", 2): 23_512_130,
    ("arl_cnn50", 2): 23_512_130 + 16,
    ("resnet14", 2): 8_020_034,
    ("arl_cnn14", 2): 8_020_034 + 4,
    ("vgg16_bn", 2): 134_277_186,
    ("vgg16_gap_bn", 2): 14_724_162,
    ("mel_cnn_bn", 2): 14_725_698,
    ("attnmel_cnn_bn", 2): 15_184_964,
    ("inception_v3", 7): 21_799_911,
    ("densenet121", 7): 6_961_031,
    ("seresnext50", 7): 25_525_239,
    ("patch_densenet121_initial5", 7): 6_961_031 + 30,
    ("patch_densenet121_initial", 7): 6_961_031 + 90,
    ("patch_densenet121_end", 7): 6_961_031 + 90,
    ("patch_densenet121_dual", 7): 6_961_031 + 180,
    ("patch_inception_v3_initial16", 7): 21_799_911 + 272,
    ("patch_densenet121_gru", 7): 6_953_856 + 6_297_600 + 7 * 1024 + 7,
}


@contextmanager
def no_memory() -> Iterator[None]:
    """Build and run networks on fake tensors, without allocation or computation."""
    with FakeTensorMode():
        yield


@cache
def count_parameters(name: str, classes: int) -> int:
    with backbone.meta_device():
        return backbone.count_parameters(create_model(name, num_classes=classes))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if n % 4 else ()) for n, name in enumerate(ZOO)]
)
def test_number_of_parameters(name: str) -> None:
    assert count_parameters(name, 2) == ZOO[name].num_parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_gflops(name: str) -> None:
    entry = ZOO[name]
    crops = make_model_spec(name).num_crops
    with no_memory():
        model = create_model(name, num_classes=2).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, *([crops] if crops else []), 3, entry.input_size, entry.input_size))
    assert counter.get_total_flops() / 1e9 == pytest.approx(entry.gflops, abs=0.005)


@pytest.mark.parametrize(("name", "classes"), FROM_THE_SOURCES)
def test_parameters_are_those_of_the_sources(name: str, classes: int) -> None:
    assert count_parameters(name, classes) == FROM_THE_SOURCES[name, classes]


def test_every_network_has_a_paper_and_a_recipe() -> None:
    assert len(ZOO) >= 45
    for name, entry in ZOO.items():
        assert "doi:" in entry.paper or "arXiv:" in entry.paper, name
        assert entry.recipe in builtin_recipes(), name


def test_rows_have_all_columns() -> None:
    for line in zoo_rows(ZOO):
        assert len(line) == len(ALL_COLUMNS)
        assert all(line)


def test_documentation_lists_the_zoo() -> None:
    page = Path(__file__).parents[2] / "docs" / "networks.md"
    assert zoo_markdown() in page.read_text(encoding="utf-8"), (
        "put the output of zoo_markdown() into docs/networks.md"
    )


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'attnmel_cnn'"):
        get_entry("atnmel_cnn")
