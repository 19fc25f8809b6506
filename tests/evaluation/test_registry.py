"""The table of metrics: read by evaluations, comparisons and the documentation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison.result import default_metrics
from lesionlens.evaluation.compute import compute_metrics, metric_values
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, Metric
from lesionlens.evaluation.registry import METRICS, check_metric_keys, metric_title

from ..helpers.random_predictions import random_predictions

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "metrics.md"
UNDEFINED_WITHOUT = {
    "positives": "images of the class",
    "negatives": "images of other classes",
    "predictions": "predictions of the class",
    "negative_predictions": "predictions of other classes",
}


def documentation_row(metric: Metric) -> str:
    """Return the row of a metric in the documentation's table."""
    undefined = " or ".join(UNDEFINED_WITHOUT[requirement] for requirement in metric.requires)
    scopes = (["class"] if metric.class_function else []) + [f"`{scope}`" for scope in metric.scopes()]
    cells = (f"`{metric.name}`", metric.definition, undefined or "–", ", ".join(scopes), metric.paper_names)
    return f"| {' | '.join(cells)} |"


def test_documentation_has_every_metric() -> None:
    table = "\n".join(map(documentation_row, METRICS.values()))
    assert table in DOCUMENTATION.read_text(encoding="utf-8"), f"docs/metrics.md needs the table\n{table}"


def test_evaluation_has_every_metric_in_every_scope() -> None:
    p = random_predictions(60)
    estimates = {(estimate.metric, estimate.scope) for estimate in evaluate(p, n_resamples=0).estimates}
    assert estimates == {
        (name, scope)
        for name, metric in METRICS.items()
        if not metric.field
        for scope in metric.scopes(p.classes)
    }


def test_metric_values_equal_the_evaluation() -> None:
    p = random_predictions(60)
    keys = [(name, scope) for name, metric in METRICS.items() for scope in metric.scopes(p.classes)]
    check_metric_keys(keys, p.classes)
    evaluation = evaluate(p, n_resamples=0)
    expected = [np.nan if METRICS[key[0]].field else evaluation.value(*key) for key in keys]
    np.testing.assert_array_equal(metric_values(p, keys), expected)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.class_function])
def test_undefined_reason_matches_the_values(name: str) -> None:
    """A class value is NaN exactly if a required kind of image is missing."""
    plain = random_predictions(40, prior=[0.5, 0.5, 0, 0, 0, 0, 0])
    p = replace(plain, calibrated_scores=plain.scores, prediction_sets=plain.scores > 0.2)
    values = compute_metrics(p, decision="argmax").values
    predicted = p.scores.argmax(axis=1)
    for k, class_name in enumerate(p.classes):
        positive = p.label == class_name
        counts = {
            "positives": positive.sum(),
            "negatives": (~positive).sum(),
            "predictions": (predicted == k).sum(),
            "negative_predictions": (predicted != k).sum(),
        }
        is_undefined = any(not counts[requirement] for requirement in METRICS[name].requires)
        assert np.isnan(values[name, class_name]) == is_undefined


def test_default_comparisons_exist() -> None:
    for classes in (("other", "melanoma"), ("a", "b", "c")):
        keys = default_metrics(classes, present=classes)
        assert keys
        check_metric_keys(keys, classes)  # raises for a metric or scope that does not exist


def test_unknown_metrics_and_scopes_raise() -> None:
    with pytest.raises(ComparisonError, match="unknown metric 'acu': did you mean 'auc'"):
        check_metric_keys([("acu", MACRO)], ("a", "b"))
    with pytest.raises(ComparisonError, match=r"unknown balanced_accuracy of 'macro'.*Allowed: all"):
        check_metric_keys([("balanced_accuracy", MACRO)], ("a", "b"))
    assert metric_title("iou") == "iou"
