"""Tests of correlations and logged values of runs, and of claims about them, against scipy and numpy."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lesionlens.core.errors import DataError, LesionLensError
from lesionlens.reproduction import correlations, html_page
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.claims import evaluate_claims
from lesionlens.reproduction.correlations import subtract_means
from lesionlens.reproduction.html_page import write_page
from lesionlens.reproduction.measurements import run_values
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import TableSpec

from ..helpers.fake_runs import fake_results, fake_table_spec

ALPHAS = {"low": [0.0010, 0.0011, 0.0012, 0.0011], "high": [0.0010, 0.0013, 0.0012, 0.0019]}


def epochs_spec() -> TableSpec:
    return fake_table_spec(
        unit="percent",
        columns=[
            {"name": "trend", "correlation": {"of": ["epoch", "alpha/layer4.2"]}},
            *(
                {"name": name, "logged": f"alpha/{block}"}
                for name, block in (("low", "layer2.0"), ("high", "layer4.2"))
            ),
        ],
        rows=[{"name": "A", "recipe": "a"}],
        claims=[
            {"correlates": "positive", "row": "A", "column": "trend", "quote": "so"},
            {"better": "high", "worse": "low", "row": "A", "quote": "so"},
        ],
    )


def write_logs(
    results: TableResults, *, blocks: tuple[str, str] = ("layer2.0", "layer4.2")
) -> list[pd.DataFrame]:
    logs = []
    for number, cell in enumerate(results.cells):
        noise = 1e-4 * np.random.default_rng(number).normal(size=(2, 4))
        values = {
            f"alpha/{block}": ALPHAS[key] + row for block, key, row in zip(blocks, ALPHAS, noise, strict=True)
        }
        logs.append(pd.DataFrame({"epoch": range(4), **values}))
        logs[-1].to_csv(cell.run_dir.metrics_csv, index=False)
    return logs


def values_of(results: TableResults) -> dict[tuple[str, str], list]:
    return {
        (row.name, column.name): run_values(results, row.name, column.name)
        for row in results.spec.rows
        for column in results.spec.columns
    }


def test_gates_grow_and_are_larger_in_higher_layers(tmp_path: Path) -> None:
    results = fake_results(tmp_path, epochs_spec(), {("A", ""): [1.0, 1.1, 1.2, 1.3]})
    logs = write_logs(results)
    rho = [stats.spearmanr(log["epoch"], log["alpha/layer4.2"]).statistic for log in logs]
    values = values_of(results)
    assert [run.value for run in values["A", "trend"]] == pytest.approx(rho)
    assert {run.measured_on for run in values["A", "low"]} == {"epochs"}
    trend, order = evaluate_claims(results, values)
    test = stats.ttest_1samp(rho, 0, alternative="greater")
    assert (trend.difference, trend.p) == pytest.approx((np.mean(rho), test.pvalue))
    assert (trend.test, trend.subject) == ("t over 4 runs", "trend, A")
    last = [log.iloc[-1] for log in logs]
    expected = stats.ttest_rel(
        *([row[f"alpha/{block}"] for row in last] for block in ("layer4.2", "layer2.0"))
    )
    assert order.p_two_sided == pytest.approx(expected.pvalue)
    assert order.difference == pytest.approx(
        np.mean([row["alpha/layer4.2"] - row["alpha/layer2.0"] for row in last])
    )


def test_epochs_of_one_run_are_no_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "render_figure", lambda *_: [])
    results = fake_results(tmp_path, epochs_spec(), {("A", ""): [1.0]})
    (log,) = write_logs(results, blocks=("layer2.0", "layer4.0"))  # a small network has one block per stage
    trend, order = evaluate_claims(results, values_of(results))
    assert "the epochs of a run are not independent" in trend.note
    assert trend.verdict == "same direction, not shown"
    assert "not computed from one set of scores" in order.note
    text = write_page(results, tmp_path / "page").read_text(encoding="utf-8")
    assert f'<span class="value">{log["alpha/layer4.0"].iloc[-1]:.3g}<sup>' in text
    assert "there is no alpha/layer4.2 here; alpha/layer4.0 is shown" in text
    assert "of epoch and alpha/layer4.2, over the epochs" in text


def crops_spec(**correlation: object) -> TableSpec:
    column = {
        "name": "rho",
        "map": "end-crops",
        "correlation": {"of": ["crop_weight", "lesion_fraction"], **correlation},
    }
    claim = {"correlates": "positive", "row": "A", "column": "rho", "quote": "so"}
    return fake_table_spec(
        unit="percent", columns=[column], rows=[{"name": "A", "recipe": "a"}], claims=[claim]
    )


def simulated_crops(seed: int, strength: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    image, position = np.repeat(np.arange(30), 5), np.tile(np.arange(5), 30)
    fraction = np.clip(rng.normal(0.3 + 0.1 * position, 0.2), 0, 1)
    weight = 0.5 * position + strength * fraction + rng.normal(0, 0.3, 150)
    ids = [f"i{number:02d}" for number in image]
    return pd.DataFrame(
        {
            "image_id": ids,
            "lesion_id": ids,
            "position": position,
            "crop_weight": weight,
            "lesion_fraction": fraction,
        }
    )


@pytest.fixture
def measured_crops(monkeypatch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """Replace the measurement by simulated weights, and return the values in order of measurement."""
    measured: list[pd.DataFrame] = []

    def measure(*_: object, **__: object) -> list[tuple]:
        measured.append(simulated_crops(len(measured)))
        return list(measured[-1].itertuples(index=False))

    monkeypatch.setattr(correlations, "measure_crop_weights", measure)
    monkeypatch.setattr(correlations, "load_saved_model", lambda *_, **__: None)
    monkeypatch.setattr(correlations, "evaluation_subset", lambda *_: None)
    return measured


def test_crops_with_the_lesion_weigh_more(tmp_path: Path, measured_crops: list[pd.DataFrame]) -> None:
    results = fake_results(tmp_path, crops_spec(without_means_of=["image", "position"]), {("A", ""): [1.0]})
    (run,) = run_values(results, "A", "rho")
    (crops,) = measured_crops
    centered = []
    for name in ("crop_weight", "lesion_fraction"):
        grid = crops[name].to_numpy().reshape(30, 5)
        grid = grid - grid.mean(axis=1, keepdims=True)
        centered.append((grid - grid.mean(axis=0)).ravel())
    assert run.value == pytest.approx(stats.spearmanr(*centered).statistic)
    assert run.low < run.value < run.high < 1  # a fraction, although the table is in percent
    (claim,) = evaluate_claims(results, values_of(results))
    assert (claim.low, claim.high) == (run.low, run.high)
    assert (claim.test, claim.verdict) == ("bootstrap over lesions of one run", "holds")
    run_values(results, "A", "rho")
    assert len(measured_crops) == 1  # measured once
    assert list(subtract_means(crops, "crop_weight", ["image"])) != centered[0].tolist()


def test_a_measurement_that_fails_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DataError("the masks are missing")

    monkeypatch.setattr(correlations, "load_saved_model", lambda *_, **__: None)
    monkeypatch.setattr(correlations, "evaluation_subset", fail)
    results = fake_results(tmp_path, crops_spec(), {("A", ""): [1.0]})
    (run,) = run_values(results, "A", "rho")
    assert math.isnan(run.value)
    assert "the masks are missing" in run.note
    (claim,) = evaluate_claims(results, values_of(results))
    assert claim.verdict == "not run"


def test_maps_of_two_variants_need_both_runs(tmp_path: Path) -> None:
    correlation = {
        "of": ["lesion_area", "map_agreement"],
        "target_classes": {"M": "melanoma", "SK": "seborrheic_keratosis"},
    }
    spec = fake_table_spec(
        columns=[{"name": "rho", "map": "cam", "correlation": correlation}],
        rows=[{"name": "A", "recipe": "a"}],
        variants={"M": {"title": "melanoma"}, "SK": {"title": "keratosis"}},
    )
    results = fake_results(tmp_path, spec, {("A", "M"): [1.0]})
    (run,) = run_values(results, "A", "rho")
    assert "the run of SK that this one is compared with is not finished" in run.note


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("correlation: {of: [lesion_area, epoch]}", "no correlation of lesion_area and epoch: allowed are"),
        ("correlation: {of: [lesion_area, map_agreement]}", "target_classes must name two variants"),
        ("logged: alpha/layer1.0, metric: auc", "set exactly one of metric"),
        (
            "correlation: {of: [epoch, alpha/layer1.0], without_means_of: [image]}",
            "without_means_of is only for",
        ),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, column: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"paper: m\ntitle: t\ncaption: c\nsource: s\ndataset: d\ncolumns: [{{name: x, {column}}}]\n"
        "rows: [{name: A, recipe: a}]\n"
    )
    with pytest.raises(LesionLensError, match=message):
        load_table_spec(str(path))
