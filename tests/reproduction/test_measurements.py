"""Tests of the values of runs, from evaluations as training writes them."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from lesionlens.datasets.registry import load_table
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.explanation.localization import evaluate_localization
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import inputs_from_table
from lesionlens.inference.predict import predict
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model
from lesionlens.models.spec import ModelSpec
from lesionlens.reproduction import measurements
from lesionlens.reproduction.measurements import run_values
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.training.run import train

from ..helpers.fake_runs import fake_results, fake_table_spec


def auc(predictions: Predictions) -> float:
    index = predictions.classes.index("melanoma")
    return float(roc_auc_score(predictions.label == "melanoma", predictions.scores[:, index]))


@pytest.fixture
def two_variants() -> TableSpec:
    return fake_table_spec(
        columns=[
            {"name": "M", "metric": "auc", "class": "melanoma", "variant": "M"},
            {"name": "SK", "metric": "auc", "class": "melanoma", "variant": "SK"},
            {"name": "mean", "mean_of": ["M", "SK"]},
            {"name": "less", "difference_of": ["M", "SK"]},
            {"name": "wrong", "metric": "auc", "class": "wart", "variant": "M"},
        ],
        rows=[{"name": "A", "recipe": "a"}, {"name": "B", "recipe": "c"}],
        variants={"M": {"title": "melanoma"}, "SK": {"title": "keratosis"}},
    )


def expected(results: TableResults, variant: str) -> list[float]:
    return [
        auc(read_predictions(cell.run_dir.predictions("test"))) for cell in results.cells_for("A", variant)
    ]


def test_each_run_gives_a_number(tmp_path: Path, two_variants: TableSpec) -> None:
    results = fake_results(tmp_path, two_variants, {("A", "M"): [0.5, 1.0, 1.5]})
    measured = run_values(results, "A", "M")
    assert [value.value for value in measured] == pytest.approx(expected(results, "M"))
    assert [(value.run, value.fold, value.measured_on) for value in measured] == [
        (n, None, "test") for n in range(3)
    ]
    assert all(value.low < value.value < value.high for value in measured)
    assert run_values(results, "B", "M") == []


def test_columns_are_put_together_run_by_run(tmp_path: Path, two_variants: TableSpec) -> None:
    results = fake_results(
        tmp_path, two_variants, {("A", "M"): [0.5, 1.0], ("A", "SK"): [1.5, 0.2]}, folds=True
    )
    m, sk = expected(results, "M"), expected(results, "SK")
    assert [value.value for value in run_values(results, "A", "mean")] == pytest.approx(
        [(a + b) / 2 for a, b in zip(m, sk, strict=True)]
    )
    less = run_values(results, "A", "less")
    assert [value.value for value in less] == pytest.approx([a - b for a, b in zip(m, sk, strict=True)])
    melanoma, keratosis = run_values(results, "A", "M")[0], run_values(results, "A", "SK")[0]
    assert (less[0].low, less[0].high) == pytest.approx(
        (melanoma.low - keratosis.high, melanoma.high - keratosis.low)
    )
    assert [value.fold for value in less] == [0, 1]


def test_a_run_without_partner_has_no_mean_and_says_so(tmp_path: Path, two_variants: TableSpec) -> None:
    results = fake_results(tmp_path, two_variants, {("A", "M"): [0.5, 1.0], ("A", "SK"): [1.5]})
    first, second = run_values(results, "A", "mean")
    assert math.isfinite(first.value)
    assert math.isnan(second.value)
    assert second.note == "SK is missing"


def test_a_class_that_a_run_does_not_know_is_a_reason(tmp_path: Path, two_variants: TableSpec) -> None:
    (only,) = run_values(fake_results(tmp_path, two_variants, {("A", "M"): [0.5]}), "A", "wrong")
    assert math.isnan(only.value)
    assert "unknown auc of 'wart'" in only.note


def test_without_test_part_validation_counts_and_is_named(tmp_path: Path, two_variants: TableSpec) -> None:
    results = fake_results(tmp_path, two_variants, {("A", "M"): [0.5]}, split="validation")
    assert run_values(results, "A", "M")[0].measured_on == "validation"


def test_an_evaluation_that_cannot_be_read_is_a_reason(tmp_path: Path, two_variants: TableSpec) -> None:
    results = fake_results(tmp_path, two_variants, {("A", "M"): [0.5]})
    results.cells[0].run_dir.evaluation("test").write_text("{")
    (only,) = run_values(results, "A", "M")
    assert math.isnan(only.value)
    assert "test.json" in only.note


CLASSES = ("melanoma", "nevus")
COLUMNS = (
    {"name": "CAM", "metric": "iou", "map": "cam"},
    {"name": "pointing", "metric": "pointing_game", "map": "layer3"},
    {"name": "no such map", "metric": "energy_pointing_game", "map": "layer9"},
    {"name": "AUC", "metric": "auc", "class": "melanoma"},
    {"name": "block", "metric": "energy_pointing_game", "map": "features-layer3.0"},
    {"name": "missing block", "metric": "energy_pointing_game", "map": "features-layer3.2"},
    {"name": "elsewhere", "metric": "auc", "class": "melanoma", "artifact_set": "turned"},
    {"name": "CAM elsewhere", "metric": "iou", "map": "cam", "artifact_set": "turned"},
)


def write_table(folder: Path, *, seed: int, images: int = 12) -> str:
    """Write images of dark squares on noise, with masks."""
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


def run(tmp_path: Path, spec: TableSpec) -> TableResults:
    """Write the run of an untrained network with six test images."""
    torch.manual_seed(0)
    source, turned = (write_table(tmp_path / name, seed=seed) for seed, name in enumerate(("own", "turned")))
    recipe = Recipe.model_validate(
        {"data": source, "model": {"backbone": "test_resnet"}, "train": {"device": "cpu"}}
    )
    folder = RunDir(tmp_path / "run")
    architecture = ModelSpec("test_resnet", "arl", {})
    card = ModelCard(
        architecture=architecture, classes=CLASSES, preprocessing=Preprocessing(input_size=(48, 48))
    )
    save_model(folder.best_model, build_network(architecture, 2), card)
    splits = ["train"] * 6 + ["test"] * 6
    pd.DataFrame({"image_id": [f"i{n}" for n in range(12)], "split": splits}).to_csv(
        folder.splits_csv, index=False
    )
    table = load_table(source).select([f"i{n}" for n in range(6, 12)])
    loaded = load_saved_model(folder.best_model)
    engine = open_engine(loaded, "torch", num_images=6)
    scored = run_inference(engine, loaded.card, inputs_from_table(table)).predictions
    write_evaluation(folder.evaluation("test"), evaluate(scored, n_resamples=20))
    folder.update(status="finished")
    cell = RunCell("A", "", 0, None, recipe, folder, "finished")
    return TableResults("arl/made-up", spec, (cell,), "paper", {"turned": turned}, (), tmp_path)


@pytest.fixture
def results(tmp_path: Path) -> TableResults:
    sets = {"turned": {"artifact": "ink_markings", "rate_difference": 0.5}}
    return run(tmp_path, fake_table_spec(columns=COLUMNS, artifact_sets=sets))


def test_maps_are_those_of_the_test_images(results: TableResults) -> None:
    cell = results.cells[0]
    table = load_table(cell.recipe.data.source).select([f"i{n}" for n in range(6, 12)])
    expected = evaluate_localization(
        load_saved_model(cell.run_dir.best_model), table, methods=["attention", "cam"]
    )
    by_name = {(estimate.metric, estimate.scope): estimate for estimate in expected.estimates}
    for column, key in (("CAM", ("iou", "cam")), ("pointing", ("pointing_game", "layer3"))):
        (value,) = run_values(results, "A", column)
        estimate = by_name[key]
        assert value[2:5] == pytest.approx(
            (estimate.value, estimate.low, estimate.high), abs=1e-5, nan_ok=True
        )
        assert value.measured_on == "test"


def test_feature_map_of_a_block_or_of_the_last_one_of_its_stage(results: TableResults) -> None:
    cell = results.cells[0]
    table = load_table(cell.recipe.data.source).select([f"i{n}" for n in range(6, 12)])
    expected = evaluate_localization(
        load_saved_model(cell.run_dir.best_model), table, methods=["attention-features"]
    )
    by_name = {(estimate.metric, estimate.scope): estimate.value for estimate in expected.estimates}
    exact, smaller = (run_values(results, "A", column)[0] for column in ("block", "missing block"))
    assert exact.value == pytest.approx(by_name["energy_pointing_game", "features-layer3.0"], abs=1e-5)
    assert (exact.note, smaller.value) == ("", exact.value)
    assert "there is no features-layer3.2 here; features-layer3.0 is shown" in smaller.note


def test_a_map_that_the_network_has_not_is_a_reason(results: TableResults) -> None:
    (value,) = run_values(results, "A", "no such map")
    assert math.isnan(value.value)
    assert "this network has no map layer9; it has " in value.note
    assert "layer3" in value.note


def test_maps_on_artifacts_and_images_with_them(tmp_path: Path) -> None:
    columns = [
        {"name": "energy", "metric": "artifact_energy", "map": "cam"},
        {"name": "area", "metric": "artifact_area", "map": "cam"},
        {"name": "with", "metric": "energy_pointing_game", "map": "cam", "images": "with hair"},
        {"name": "without", "metric": "energy_pointing_game", "map": "cam", "images": "without hair"},
    ]
    results = run(tmp_path, fake_table_spec(columns=columns))
    own = tmp_path / "own"
    assert "needs masks" in run_values(results, "A", "energy")[0].note
    assert "write a file artifacts.csv" in run_values(results, "A", "with")[0].note
    (own / "artifact_masks").mkdir()
    stripe = np.zeros((60, 60), dtype=np.uint8)
    stripe[:, :15] = 255
    Image.fromarray(stripe).save(own / "artifact_masks" / "i7.png")
    (own / "artifacts.csv").write_text("image_id,hair\n" + "".join(f"i{n},{int(n < 8)}\n" for n in range(12)))
    shutil.rmtree(results.cells[0].run_dir.path / "quality")
    assert run_values(results, "A", "area")[0].value == pytest.approx(1 / 4)
    assert 0 < run_values(results, "A", "energy")[0].value < 1
    table = load_table(results.cells[0].recipe.data.source)
    model = load_saved_model(results.cells[0].run_dir.best_model)
    for column, ids in (("with", ["i6", "i7"]), ("without", ["i8", "i9", "i10", "i11"])):
        expected = evaluate_localization(model, table.select(ids), methods=["cam"], n_resamples=0)
        mean = next(item.value for item in expected.estimates if item.metric == "energy_pointing_game")
        assert run_values(results, "A", column)[0].value == pytest.approx(mean, abs=1e-5)


def test_a_set_is_scored_on_the_runs_own_test_images(results: TableResults) -> None:
    (value,) = run_values(results, "A", "elsewhere")
    scored = read_predictions(results.cells[0].run_dir.path / "evaluation_on" / "turned" / "predictions.csv")
    assert sorted(scored.image_id) == sorted(f"i{n}" for n in range(6, 12))
    everything = predict(results.cells[0].run_dir.best_model, [results.artifact_sets["turned"]]).predictions
    own = np.isin(everything.image_id, scored.image_id)
    assert value.value == pytest.approx(
        roc_auc_score(everything.label[own] == "melanoma", everything.scores[own, 0])
    )
    assert value.measured_on == "turned"
    assert value.value != run_values(results, "A", "AUC")[0].value
    assert run_values(results, "A", "CAM elsewhere")[0].value != run_values(results, "A", "CAM")[0].value


def test_measurements_are_reused_until_the_source_changes(
    results: TableResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [column["name"] for column in COLUMNS]
    before = [run_values(results, "A", column) for column in columns]

    def again(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measurements, "load_saved_model", again)
    assert str([run_values(results, "A", column) for column in columns]) == str(before)
    note = results.cells[0].run_dir.path / "quality" / "cam" / "measured.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "source": "other"}))
    with pytest.raises(AssertionError, match="measured again"):
        run_values(results, "A", "CAM")


@pytest.mark.slow
def test_of_a_trained_run(tmp_path: Path) -> None:
    source = f"ham10000:{generate_dataset(tmp_path / 'data', num_images=60, size=(72, 96))}"
    recipe = Recipe.model_validate(
        {
            "data": {"source": source, "task": "melanoma"},
            "model": {"backbone": "test_resnet", "attention": "arl", "input_size": [48, 48]},
            "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
        }
    )
    folder = RunDir(train(recipe, out=tmp_path / "run"))
    spec = fake_table_spec(
        columns=COLUMNS[:4], rows=[{"name": "A", "recipe": "a", "maps": {"CAM": "gradcam"}}]
    )
    results = TableResults(
        "arl/made-up",
        spec,
        (RunCell("A", "", 0, None, recipe, folder, "finished"),),
        "smoke",
        {},
        (),
        tmp_path,
    )
    ids = read_predictions(folder.predictions("test")).image_id
    expected = evaluate_localization(
        load_saved_model(folder.best_model), load_table(source).select(map(str, ids)), methods=["gradcam"]
    )
    iou = next(estimate.value for estimate in expected.estimates if estimate.metric == "iou")
    assert run_values(results, "A", "CAM")[0].value == pytest.approx(iou, abs=1e-5)
    assert 0 <= run_values(results, "A", "pointing")[0].value <= 1
    assert math.isfinite(run_values(results, "A", "AUC")[0].value)
