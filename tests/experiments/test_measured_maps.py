"""Maps against masks, and generated copies of the test images: measured by the library once, then kept."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from lesionlens.data.datasets import load_table
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import write_evaluation
from lesionlens.evaluation.predictions import read_predictions
from lesionlens.experiments import measured_maps, measured_on
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.measured import values
from lesionlens.experiments.results import Cell, Results
from lesionlens.explanation.attention_quality import attention_quality
from lesionlens.models.bundle import Card, load_model, save_model
from lesionlens.models.create import Architecture
from lesionlens.preprocessing import Preprocessing
from lesionlens.scoring.predict import predict
from lesionlens.scoring.score import score
from lesionlens.subjects import of_table
from lesionlens.synthesis.dataset import synthesise
from lesionlens.training.folder import RunFolder
from lesionlens.training.recipe import Recipe
from lesionlens.training.run import train

from .fabricated import experiment

CLASSES = ("melanoma", "nevus")
COLUMNS = (
    {"name": "CAM", "metric": "jaccard", "map": "cam"},
    {"name": "pointing", "metric": "pointing", "map": "layer3"},
    {"name": "no such map", "metric": "energy", "map": "layer9"},
    {"name": "AUC", "metric": "auc", "of": "melanoma"},
    {"name": "elsewhere", "metric": "auc", "of": "melanoma", "set": "turned"},
    {"name": "CAM elsewhere", "metric": "jaccard", "map": "cam", "set": "turned"},
)


def write_table(folder: Path, *, seed: int, images: int = 12) -> str:
    """Draw dark squares on noise, with masks."""
    folder.mkdir()
    rng, rows = np.random.default_rng(seed), []
    for n in range(images):
        x, y = rng.integers(0, 30, 2)
        mask = np.zeros((60, 60), dtype=np.uint8)
        mask[y : y + 25, x : x + 25] = 255
        pixels = rng.integers(120, 255, (60, 60, 3), dtype=np.uint8)
        pixels[mask > 0] //= 3
        Image.fromarray(pixels).save(folder / f"i{n}.png")
        Image.fromarray(mask).save(folder / f"m{n}.png")
        rows.append({"image": f"i{n}.png", "label": CLASSES[n % 2], "mask_path": f"m{n}.png"})
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return f"table:{folder / 't.csv'}"


def run(tmp_path: Path, asked: Experiment) -> Results:
    """Leave a run of an untrained network: six images were its test part."""
    torch.manual_seed(0)
    source, turned = (write_table(tmp_path / name, seed=seed) for seed, name in enumerate(("own", "turned")))
    recipe = Recipe.model_validate(
        {"data": source, "model": {"backbone": "test_resnet"}, "train": {"device": "cpu"}}
    )
    folder = RunFolder(tmp_path / "run")
    architecture = Architecture("test_resnet", "arl", {})
    card = Card(architecture=architecture, classes=CLASSES, preprocessing=Preprocessing(input_size=(48, 48)))
    save_model(folder.best, architecture.build(2), card)
    parts = ["train"] * 6 + ["test"] * 6
    pd.DataFrame({"image_id": [f"i{n}" for n in range(12)], "part": parts}).to_csv(folder.split, index=False)
    wanted = load_table(source).select([f"i{n}" for n in range(6, 12)])
    scored = score(load_model(folder.best), of_table(wanted)).predictions
    write_evaluation(folder.evaluation("test"), evaluate(scored, replicates=20))
    folder.note(status="finished")
    cell = Cell("A", "", 0, None, recipe, folder, "finished")
    return Results("arl/made-up", asked, (cell,), "paper", {"turned": turned}, (), tmp_path)


@pytest.fixture
def found(tmp_path: Path) -> Results:
    sets = {"turned": {"artefact": "ink", "association": 0.5}}
    return run(tmp_path, experiment(metrics=COLUMNS, sets=sets))


def test_maps_are_those_of_the_test_images(found: Results) -> None:
    cell = found.cells[0]
    table = load_table(cell.recipe.data.source).select([f"i{n}" for n in range(6, 12)])
    expected = attention_quality(load_model(cell.folder.best), table, methods=["native", "cam"])
    by_name = {(each.metric, each.of): each for each in expected.estimates}
    for column, key in (("CAM", ("jaccard", "cam")), ("pointing", ("pointing", "layer3"))):
        (value,) = values(found, "A", column)
        wanted = by_name[key]
        assert value[2:5] == pytest.approx((wanted.value, wanted.low, wanted.high), abs=1e-5)
        assert value.part == "test"


def test_a_map_that_the_network_has_not_is_a_reason(found: Results) -> None:
    (value,) = values(found, "A", "no such map")
    assert math.isnan(value.value)
    assert "this network has no map layer9; it has " in value.note
    assert "layer3" in value.note


def test_a_set_is_scored_on_the_runs_own_test_images(found: Results) -> None:
    (value,) = values(found, "A", "elsewhere")
    scored = read_predictions(found.cells[0].folder.path / "on" / "turned" / "predictions.csv")
    assert sorted(scored.image_id) == sorted(f"i{n}" for n in range(6, 12))
    everything = predict(found.cells[0].folder.best, [found.sets["turned"]]).predictions
    own = np.isin(everything.image_id, scored.image_id)
    assert value.value == pytest.approx(
        roc_auc_score(everything.label[own] == "melanoma", everything.scores[own, 0])
    )
    assert value.part == "turned"
    assert value.value != values(found, "A", "AUC")[0].value
    assert values(found, "A", "CAM elsewhere")[0].value != values(found, "A", "CAM")[0].value


def test_what_was_measured_is_kept_until_the_source_is_another(
    found: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [each["name"] for each in COLUMNS]
    before = [values(found, "A", column) for column in columns]

    def again(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    for module in (measured_maps, measured_on):
        monkeypatch.setattr(module, "load_model", again)
    assert str([values(found, "A", column) for column in columns]) == str(before)
    note = found.cells[0].folder.path / "quality" / "cam" / "measured.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "source": "other"}))
    with pytest.raises(AssertionError, match="measured again"):
        values(found, "A", "CAM")


@pytest.mark.slow
def test_of_a_trained_run(tmp_path: Path) -> None:
    source = f"ham10000:{synthesise(tmp_path / 'data', images=60, size=(72, 96))}"
    recipe = Recipe.model_validate(
        {
            "data": {"source": source, "task": "melanoma"},
            "model": {"backbone": "test_resnet", "attention": "arl", "input_size": [48, 48]},
            "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
        }
    )
    folder = RunFolder(train(recipe, out=tmp_path / "run"))
    asked = experiment(metrics=COLUMNS[:4], rows=[{"name": "A", "recipe": "a", "maps": {"CAM": "gradcam"}}])
    found = Results(
        "arl/made-up", asked, (Cell("A", "", 0, None, recipe, folder, "finished"),), "smoke", {}, (), tmp_path
    )
    ids = read_predictions(folder.predictions("test")).image_id
    expected = attention_quality(
        load_model(folder.best), load_table(source).select(map(str, ids)), methods=["gradcam"]
    )
    wanted = next(each.value for each in expected.estimates if each.metric == "jaccard")
    assert values(found, "A", "CAM")[0].value == pytest.approx(wanted, abs=1e-5)
    assert 0 <= values(found, "A", "pointing")[0].value <= 1
    assert math.isfinite(values(found, "A", "AUC")[0].value)
