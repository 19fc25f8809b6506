"""Metrics and submission files against the official scorer of the ISIC challenge."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from isic_challenge_scoring.classification import ClassificationMetric, ClassificationScore

from lesionlens.core.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.isic_formats import ISIC2018_COLUMNS, write_isic2018
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import EvaluationResult

from ..helpers.random_predictions import random_predictions

# the official scorer uses deprecated functions of pandas
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OURS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "dice": "f1",
    "ppv": "precision",
    "npv": "npv",
    "auc": "auc",
    "ap": "average_precision",
}


@pytest.fixture
def pandas_applymap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore a method that pandas 3 removed and the official reader of predictions calls."""
    if not hasattr(pd.DataFrame, "applymap"):
        monkeypatch.setattr(pd.DataFrame, "applymap", pd.DataFrame.map, raising=False)


def write_truth(path: Path, predictions: Predictions) -> None:
    hot = (predictions.label[:, None] == np.array(ISIC2018_CLASSES)).astype(float)
    table = pd.DataFrame(hot, columns=list(ISIC2018_COLUMNS))
    table.insert(0, "image", predictions.image_id)
    table.to_csv(path, index=False)


def score_both(folder: Path, predictions: Predictions) -> tuple[ClassificationScore, EvaluationResult]:
    """Score the same two files with the official scorer and with LesionLens."""
    truth, submission = folder / "truth.csv", folder / "predictions.csv"
    write_truth(truth, predictions)
    write_isic2018(submission, predictions)
    official = ClassificationScore.from_file(truth, submission, ClassificationMetric.BALANCED_ACCURACY)
    return official, evaluate(
        read_predictions(submission, ground_truth=truth), n_resamples=0, decision="isic"
    )


@pytest.mark.usefixtures("pandas_applymap")
@pytest.mark.parametrize("seed", range(3))
def test_metrics_match_the_official_scorer(tmp_path: Path, seed: int) -> None:
    official, ours = score_both(tmp_path, random_predictions(300, seed=seed))
    for name in ISIC2018_CLASSES:
        row = official.per_category.loc[DIAGNOSES[name].code]
        for theirs, metric in OURS.items():
            assert ours.value(metric, name) == pytest.approx(row[theirs], abs=1e-12), (metric, name)
    for theirs, metric in OURS.items():
        assert ours.value(metric) == pytest.approx(official.macro_average[theirs], abs=1e-12), metric
    assert ours.value("balanced_accuracy", OVERALL) == pytest.approx(official.overall, abs=1e-12)


@pytest.mark.usefixtures("pandas_applymap")
def test_ties_are_incorrect_for_both_scorers(tmp_path: Path) -> None:
    tied = random_predictions(140, digits=1, seed=5)
    largest = tied.scores == tied.scores.max(axis=1, keepdims=True)
    first = tied.scores.argmax(axis=1) == tied.targets()
    assert (first & (largest.sum(axis=1) > 1)).any(), "the case needs ties that argmax would get right"
    official, ours = score_both(tmp_path, tied)
    assert ours.value("balanced_accuracy", OVERALL) == pytest.approx(official.overall, abs=1e-12)
    by_argmax = evaluate(tied, n_resamples=0)
    assert by_argmax.value("balanced_accuracy", OVERALL) > official.overall


@pytest.mark.usefixtures("pandas_applymap")
def test_undefined_precision_is_nan_and_not_one(tmp_path: Path) -> None:
    mild = random_predictions(100, seed=1)
    halved = Predictions(mild.image_id, mild.lesion_id, mild.label, mild.scores / 2, mild.classes)
    official, ours = score_both(tmp_path, halved)
    assert official.per_category.loc["MEL", "ppv"] == 1
    assert np.isnan(ours.value("precision", "melanoma"))
    assert ours.estimate("precision", "melanoma").caveat == "no image is predicted to be of this class"
    assert np.isnan(ours.value("precision"))
