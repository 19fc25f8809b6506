"""Models that are called: the same scores from paths, bytes, images of Pillow and arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lesionlens
from lesionlens.core.errors import ComparisonError, DataError, PredictionsError, SavedModelError
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.explanation.explain import explain_image
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.predictor import Predictor
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel, save_model
from lesionlens.uncertainty.calibrate import CalibrationOptions

from ..helpers.images import textured_image, write_image

CLASSES = ("melanoma", "nevus")
QUICK = CalibrationOptions(n_resamples=10)


@pytest.fixture
def model(tmp_path: Path) -> Predictor:
    """Save and load an untrained network that downsamples images to 40 pixels."""
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(32, 32), max_short_side=40)
    card = ModelCard(architecture=spec, classes=CLASSES, preprocessing=preprocessing)
    save_model(tmp_path / "model", build_network(spec, 2), card)
    return lesionlens.load_model(tmp_path / "model", device="cpu")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """Write a JPEG that decoders can read at a reduced scale."""
    textured_image(400, 300).save(tmp_path / "photograph.jpg")
    return tmp_path / "photograph.jpg"


def scores_of(result: Any) -> list[float]:
    return list(map(float, result.predictions.scores[0]))


def test_scores_do_not_depend_on_how_an_image_comes(model: Predictor, photograph: Path) -> None:
    expected = scores_of(lesionlens.predict(model.directory, [photograph], engine="torch", device="cpu"))
    opened = Image.open(photograph)
    sources: list[Any] = [photograph, str(photograph), photograph.read_bytes(), opened, np.asarray(opened)]
    for source in sources:
        assert list(model(source).scores.values()) == expected
        assert scores_of(lesionlens.predict(model, [source], engine="torch")) == expected
        explanation = explain_image(model, source, methods=())
        np.testing.assert_allclose(list(explanation.scores.values()), expected, rtol=1e-6)
    names = [str(photograph), str(photograph), "image_3", "image_4", "image_5"]
    assert [prediction.image for prediction in model(sources)] == names


def test_one_image_gives_a_prediction_and_a_list_a_list(model: Predictor, photograph: Path) -> None:
    prediction = model(photograph)
    assert tuple(prediction.scores) == CLASSES
    assert prediction.predicted == max(prediction.scores, key=lambda name: prediction.scores[name])
    assert (prediction.calibrated_scores, prediction.prediction_set, prediction.abstain) == (None, None, None)
    assert "Research use only, not a medical device" in str(prediction)
    assert model([photograph, photograph]) == model([photograph]) * 2
    assert model([]) == []


def test_calibrated_model_predicts_sets(model: Predictor, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (30, 40, 3), dtype=np.uint8) for _ in range(60)]
    labels = [CLASSES[number % 2] for number in range(60)]
    assert model(images[0]).prediction_set is None
    fitted = lesionlens.calibrate(model, images, labels=labels, options=QUICK)
    prediction = model(images[0])
    expected = lesionlens.predict(model, [images[0]]).predictions
    assert prediction.calibrated_scores is not None
    assert list(prediction.calibrated_scores.values()) == expected.calibrated_scores[0].tolist()
    assert prediction.prediction_set == tuple(np.array(CLASSES)[expected.prediction_sets[0]])
    assert (prediction.abstain, prediction.ood_percentile) == (
        expected.abstain[0],
        expected.ood_percentile[0],
    )
    assert prediction.caveats == fitted.calibration.caveats
    with pytest.raises(SavedModelError, match=r"coverage of 0\.5"):
        model(images[0], coverage=0.5)


def test_unreadable_image_is_an_error(model: Predictor, photograph: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image_2: The image in memory is not a usable image"):
        model([photograph, b"text"])
    with pytest.raises(DataError, match=r"missing\.jpg is not a usable image: No such file"):
        model(tmp_path / "missing.jpg")
    with pytest.raises(DataError, match="it is a folder"):
        model(tmp_path)
    with pytest.raises(TypeError, match="type int"):
        model(3)


def test_predictions_of_images_in_memory_resume(model: Predictor, tmp_path: Path) -> None:
    images = [np.full((30, 40, 3), level, np.uint8) for level in (0, 100, 200)]
    result = lesionlens.predict(model, images, labels=["nevus"] * 3, out=tmp_path / "p.csv")
    assert result.predictions.image_id.tolist() == ["image_1", "image_2", "image_3"]
    assert (result.predictions.label == "nevus").all()
    with pytest.raises(DataError, match="2 labels for 3 images"):
        lesionlens.predict(model, images, labels=["nevus"] * 2)
    with pytest.raises(SavedModelError, match="was not loaded from a directory"):
        lesionlens.predict(LoadedModel(model.model, model.card), images, out=tmp_path / "q.csv")


def test_paths_and_images_in_memory_have_different_names(model: Predictor, tmp_path: Path) -> None:
    path = write_image(tmp_path / "images" / "more" / "image_2.png")
    with pytest.raises(DataError, match=r"'image_2' of .*image_2\.png and in memory"):
        lesionlens.predict(model, [path, path.read_bytes()])
    result = lesionlens.predict(model, [path.parent.parent, path.read_bytes()], ids="path")
    assert result.predictions.image_id.tolist() == ["more/image_2", "image_2"]


def test_images_in_memory_are_explained(model: Predictor, tmp_path: Path) -> None:
    image = textured_image(60, 40)
    with pytest.warns(UserWarning, match="image_2: The image in memory is not a usable image"):
        written = lesionlens.explain(
            model, [image, b"text"], tmp_path / "maps", methods=["gradcam"], labels={"image_1": "nevus"}
        )
    assert [path.name for path in written] == ["image_1.gradcam.png", "image_1.panel.png"]


def test_evaluate_and_compare_take_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = [f"a{number}" for number in range(40)]
    labels = [CLASSES[number % 2] for number in range(40)]
    predictions = {}
    for name in ("plain", "gate"):
        scores = rng.random(40)
        predictions[name] = Predictions(ids, ids, labels, np.stack([scores, 1 - scores], axis=1), CLASSES)
        write_predictions(tmp_path / f"{name}.csv", predictions[name])
    files = {name: tmp_path / f"{name}.csv" for name in predictions}
    expected = lesionlens.evaluate(predictions["plain"], n_resamples=10)
    assert lesionlens.evaluate(files["plain"], n_resamples=10).estimates == expected.estimates
    options: Any = {"metrics": ["auc:melanoma"], "n_resamples": 50}
    report = lesionlens.compare(predictions, **options)
    assert (report.comparisons[0].first, report.comparisons[0].second) == ("plain", "gate")
    for models in (files, list(files.values()), list(map(str, files.values()))):
        assert lesionlens.compare(models, **options) == report
    assert lesionlens.calibrate(files["plain"], options=QUICK).detector is None


def test_folders_and_other_objects_are_rejected(model: Predictor, tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"is a folder. Pass a file .*predictions/test\.csv"):
        lesionlens.evaluate(tmp_path)
    with pytest.raises(TypeError, match="type int"):
        lesionlens.evaluate(3)
    with pytest.raises(ComparisonError, match="two or more"):
        lesionlens.compare({})
    with pytest.raises(PredictionsError, match="labeled images"):
        lesionlens.calibrate(model)
