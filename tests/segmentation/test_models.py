"""Saved segmentation models: round trip, and errors for other directories."""

from pathlib import Path

import pytest
import torch

from lesionlens.core.errors import SavedModelError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model
from lesionlens.models.spec import ModelSpec
from lesionlens.segmentation.models import (
    SegmentationModelCard,
    SegmentationModelSpec,
    load_segmentation_model,
)

CARD = SegmentationModelCard(
    architecture=SegmentationModelSpec(encoder="test_resnet"),
    preprocessing=Preprocessing(input_size=(32, 64), max_short_side=None),
    keep_largest_component=False,
    training_data={"seed": 3},
)


def test_saved_model_round_trip(tmp_path: Path) -> None:
    model = CARD.architecture.build().eval()
    save_model(tmp_path / "model", model, CARD)
    loaded = load_segmentation_model(tmp_path)
    assert loaded.card.model_copy(update={"weights_sha256": ""}) == CARD
    assert "not a medical device" in loaded.card.intended_use
    x = torch.rand(1, 3, 32, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.model(x), model(x))


def test_weights_of_another_network_raise(tmp_path: Path) -> None:
    save_model(tmp_path, SegmentationModelSpec(encoder="test_convnext").build(), CARD)
    with pytest.raises(SavedModelError, match="do not match the model card"):
        load_segmentation_model(tmp_path)


def test_classifier_is_not_a_segmentation_model(tmp_path: Path) -> None:
    classifier = ModelCard(
        architecture=ModelSpec("test_resnet"), classes=("a", "b"), preprocessing=CARD.preprocessing
    )
    save_model(tmp_path / "classifier", build_network(classifier.architecture, 2), classifier)
    save_model(tmp_path / "segmentation", CARD.architecture.build(), CARD)
    with pytest.raises(
        SavedModelError, match=r"is a classifier, and a segmentation model is needed here: .* segment train"
    ):
        load_segmentation_model(tmp_path / "classifier")
    with pytest.raises(SavedModelError, match="is a segmentation model, and a classifier is needed here"):
        load_saved_model(tmp_path / "segmentation")


def test_missing_model_error(tmp_path: Path) -> None:
    with pytest.raises(SavedModelError, match="no model in"):
        load_segmentation_model(tmp_path)
