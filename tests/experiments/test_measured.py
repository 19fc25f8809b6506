"""One number a run, from evaluations as training leaves them."""

import math
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.measurements import run_values
from lesionlens.reproduction.planner import TableResults

from .fabricated import fake_table_spec, fake_results


def auc(found: Predictions) -> float:
    place = found.classes.index("melanoma")
    return float(roc_auc_score(found.label == "melanoma", found.scores[:, place]))


@pytest.fixture
def two_parts() -> TableSpec:
    return fake_table_spec(
        metrics=[
            {"name": "M", "metric": "auc", "of": "melanoma", "part": "M"},
            {"name": "SK", "metric": "auc", "of": "melanoma", "part": "SK"},
            {"name": "mean", "mean_of": ["M", "SK"]},
            {"name": "less", "less": ["M", "SK"]},
            {"name": "wrong", "metric": "auc", "of": "wart", "part": "M"},
        ],
        rows=[{"name": "A", "recipes": {"M": "a", "SK": "b"}}, {"name": "B", "recipe": "c"}],
    )


def expected(found: TableResults, part: str) -> list[float]:
    return [auc(read_predictions(cell.run_dir.predictions("test"))) for cell in found.cells_for("A", part)]


def test_each_run_gives_a_number(tmp_path: Path, two_parts: TableSpec) -> None:
    found = fake_results(tmp_path, two_parts, {("A", "M"): [0.5, 1.0, 1.5]})
    measured = run_values(found, "A", "M")
    assert [each.value for each in measured] == pytest.approx(expected(found, "M"))
    assert [(each.run, each.fold, each.measured_on) for each in measured] == [(n, None, "test") for n in range(3)]
    assert all(each.low < each.value < each.high for each in measured)
    assert run_values(found, "B", "M") == []


def test_columns_are_put_together_run_by_run(tmp_path: Path, two_parts: TableSpec) -> None:
    found = fake_results(tmp_path, two_parts, {("A", "M"): [0.5, 1.0], ("A", "SK"): [1.5, 0.2]}, folds=True)
    m, sk = expected(found, "M"), expected(found, "SK")
    assert [each.value for each in run_values(found, "A", "mean")] == pytest.approx(
        [(a + b) / 2 for a, b in zip(m, sk, strict=True)]
    )
    less = run_values(found, "A", "less")
    assert [each.value for each in less] == pytest.approx([a - b for a, b in zip(m, sk, strict=True)])
    one, other = run_values(found, "A", "M")[0], run_values(found, "A", "SK")[0]
    assert (less[0].low, less[0].high) == pytest.approx((one.low - other.high, one.high - other.low))
    assert [each.fold for each in less] == [0, 1]


def test_a_run_without_partner_has_no_mean_and_says_so(tmp_path: Path, two_parts: TableSpec) -> None:
    found = fake_results(tmp_path, two_parts, {("A", "M"): [0.5, 1.0], ("A", "SK"): [1.5]})
    one, two = run_values(found, "A", "mean")
    assert math.isfinite(one.value)
    assert math.isnan(two.value)
    assert two.note == "SK is missing"


def test_a_class_that_a_run_does_not_know_is_a_reason(tmp_path: Path, two_parts: TableSpec) -> None:
    (only,) = run_values(fake_results(tmp_path, two_parts, {("A", "M"): [0.5]}), "A", "wrong")
    assert math.isnan(only.value)
    assert "unknown auc of 'wart'" in only.note


def test_without_test_part_validation_counts_and_is_named(tmp_path: Path, two_parts: TableSpec) -> None:
    found = fake_results(tmp_path, two_parts, {("A", "M"): [0.5]}, split="validation")
    assert run_values(found, "A", "M")[0].measured_on == "validation"


def test_an_evaluation_that_cannot_be_read_is_a_reason(tmp_path: Path, two_parts: TableSpec) -> None:
    found = fake_results(tmp_path, two_parts, {("A", "M"): [0.5]})
    found.cells[0].run_dir.evaluation("test").write_text("{")
    (only,) = run_values(found, "A", "M")
    assert math.isnan(only.value)
    assert "test.json" in only.note
