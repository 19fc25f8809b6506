"""Bundles of segmentation networks: back as they were, and nothing else taken for one."""

from pathlib import Path

import pytest
import torch

from lesionlens.errors import BundleError
from lesionlens.models.bundle import save_model
from lesionlens.preprocessing import Preprocessing
from lesionlens.segment.bundle import Card, load_masker
from lesionlens.segment.network import Architecture

CARD = Card(
    architecture=Architecture(encoder="test_resnet"),
    preprocessing=Preprocessing(input_size=(32, 64), shorter_side=None),
    tidy=False,
    trained_on={"seed": 3},
)


def test_a_bundle_comes_back_as_it_was(tmp_path: Path) -> None:
    model = CARD.architecture.build().eval()
    save_model(tmp_path / "best", model, CARD)
    loaded = load_masker(tmp_path)
    assert loaded.card == CARD
    assert "not a medical device" in loaded.card.intended_use
    x = torch.rand(1, 3, 32, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.model(x), model(x))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path, Architecture(encoder="test_convnext").build(), CARD)
    with pytest.raises(BundleError, match="not those of the network on its card"):
        load_masker(tmp_path)


def test_a_classifier_is_no_segmentation_network(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"format": 1, "classes": ["a", "b"]}')
    save_model(tmp_path / "x", torch.nn.Linear(1, 1), CARD)
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "model.safetensors")
    with pytest.raises(BundleError, match="lesionlens segment train"):
        load_masker(tmp_path)


def test_no_bundle_is_a_readable_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no model in"):
        load_masker(tmp_path)
