"""Prediction with exported networks, which need no torch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import lesionlens
from lesionlens.core.errors import BackendError, SavedModelError
from lesionlens.export.export import export
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import model_source
from lesionlens.inference.exported_model import find_exported
from lesionlens.inference.predict import predict
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model
from lesionlens.uncertainty.calibrate import CalibrationOptions

from ..helpers.images import write_image

CLASSES = ("melanoma", "nevus")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a calibrated model with TTA, and write images."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet", attention="gate")
    preprocessing = Preprocessing(
        input_size=(32, 32), max_short_side=40, crops="multi-scale", crop_count=2, tta="dihedral"
    )
    card = ModelCard(architecture=spec, classes=CLASSES, preprocessing=preprocessing)
    save_model(folder / "model", build_network(spec, 2), card)
    images = [write_image(folder / "images" / f"{n:02d}.png", seed=n, size=(60, 50)) for n in range(30)]
    labels = [CLASSES[number % 2] for number in range(30)]
    lesionlens.calibrate(folder / "model", images, labels=labels, options=CalibrationOptions(n_resamples=10))
    export(folder / "model", "onnx", folder / "onnx")
    for number in range(30, 40):
        write_image(folder / "new" / f"{number}.png", seed=number, size=(60, 50))
    return folder


@pytest.mark.parametrize("engine", ["auto", "onnxruntime", "openvino"])
def test_scores_and_sets_are_those_of_the_model(
    folder: Path, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = predict(folder / "model", [folder / "new"], engine="torch", device="cpu").predictions
    monkeypatch.setattr(model_source, "missing_packages", lambda *_: ["torch"])  # not used
    result = predict(folder / "onnx", [folder / "new"], out=tmp_path / "p.csv", engine=engine)
    actual = result.predictions
    np.testing.assert_allclose(actual.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(actual.calibrated_scores, expected.calibrated_scores, atol=1e-4)
    assert (actual.prediction_sets == expected.prediction_sets).all()
    assert result.engine == f"{'openvino' if engine == 'openvino' else 'onnxruntime'}, fp32"


def test_unusable_exports_are_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [folder / "images" / "00.png"]
    with pytest.raises(BackendError, match=r"engine torch does not read\. Allowed: onnxruntime or openvino"):
        predict(folder / "onnx", images, engine="torch")
    with pytest.raises(BackendError, match="computes on the CPU only"):
        predict(folder / "onnx", images, device="cuda:0")
    card = json.loads((folder / "onnx" / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(SavedModelError, match=r"is not a complete export: .*No such file"):
        predict(tmp_path, images)
    (tmp_path / card["file"]).write_bytes(b"other")
    with pytest.raises(SavedModelError, match=r"differs from the checksum in card\.json"):
        predict(tmp_path, images)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(SavedModelError, match=r"is not a complete export: .*Export the model again"):
        predict(tmp_path, images)
    monkeypatch.setattr(model_source, "missing_packages", lambda *_: ["torch"])
    with pytest.raises(
        BackendError, match="is not an export, and other models need torch, which is not installed"
    ):
        predict(folder / "model", images)


def test_other_folders_are_no_exports(folder: Path) -> None:
    assert find_exported(folder / "model") is None
    assert find_exported(folder / "images" / "00.png") is None
