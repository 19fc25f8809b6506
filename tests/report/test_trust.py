"""Section "How far to believe this": findings of calibrated predictions, caveats and subgroups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.evaluation.predictions import Predictions
from lesionlens.report.build import render_report
from lesionlens.report.load import RunData
from lesionlens.report.trust import trust_section
from lesionlens.training.evaluate_subgroups import evaluate_run_subgroups
from lesionlens.uncertainty.apply import apply_calibration
from lesionlens.uncertainty.calibrate import CalibrationOptions, CalibrationSplit, fit_calibration

CLASSES = ("melanoma", "nevus", "benign_keratosis")


def draw(n: int, *, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.5] * 3, size=n)
    labels = np.array([CLASSES[rng.choice(3, p=row)] for row in p])
    sharp = p**2 / (p**2).sum(axis=1, keepdims=True)
    return Predictions(np.arange(n).astype(str), np.array([""] * n), labels, sharp, CLASSES)


def run_data(split: CalibrationSplit) -> RunData:
    fitted = fit_calibration(draw(200, seed=0), split=split, options=CalibrationOptions(n_resamples=50))
    tested = draw(100, seed=1)
    predictions = apply_calibration(tested, fitted)
    predictions = replace(predictions, ood_percentile=np.linspace(0.5, 99.5, 100))
    return RunData(
        path=Path("run"),
        metadata={"data": {"classes": list(CLASSES)}},
        recipe={},
        recipe_text="",
        metrics=None,
        evaluations={},
        predictions={"test": predictions},
        read_errors=(),
        calibration=fitted.calibration,
    )


def test_findings_are_those_of_the_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_data("calibration")
    monkeypatch.setattr(RunData, "split", "test")
    section = trust_section(run)
    values = {statement.title: statement.value for statement in section.statements}
    tested = run.predictions["test"]
    assert tested.prediction_sets is not None
    covered = tested.prediction_sets[np.arange(100), tested.targets()].mean()
    assert values["Coverage of the sets"].startswith(f"{100 * covered:.0f} % (")
    sizes = tested.prediction_sets.sum(axis=1)
    assert values["Sets with one class"].startswith(f"{100 * (sizes == 1).mean():.0f} % (")
    assert "too sure of itself" in section.statements[0].meaning
    assert len(section.operating_points) == 12


def test_validation_has_caveats_but_no_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunData, "split", "test")
    run = run_data("validation")
    titles = [statement.title for statement in trust_section(run).statements]
    assert "Coverage of the sets" not in titles
    assert "no coverage of prediction sets is promised" in render_report(run)


def test_page_without_calibration_says_so() -> None:
    page = render_report(replace(run_data("calibration"), calibration=None, predictions={}))
    assert "The model is not calibrated: its scores are not frequencies." in page


def test_subgroups_of_a_dataset_are_a_forest_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunData, "split", "test")
    predictions = draw(60, seed=2)
    frame = pd.DataFrame(
        {"image_id": predictions.image_id, "sex": ["male", "female"] * 30, "age": [np.nan] * 60, "site": ""}
    )
    report = evaluate_run_subgroups(predictions, frame)
    assert report is not None
    assert set(report.by_column()) == {"sex"}
    page = render_report(replace(run_data("calibration"), subgroups=report))
    assert 'aria-label="Forest plot: differences of subgroups"' in page
    assert evaluate_run_subgroups(predictions, frame.assign(sex="male")) is None
    small = predictions.select(np.arange(12))
    assert evaluate_run_subgroups(small, frame[:12]) is None
