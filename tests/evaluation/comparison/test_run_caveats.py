"""Caveats of comparisons of groups of runs: why nothing was tested, and averages over different classes."""

from dataclasses import replace

import numpy as np
import pytest

from lesionlens.evaluation.comparison.runs import compare_runs
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.result import EvaluationResult

from ...helpers.random_predictions import random_predictions

CLASSES = ("a", "b", "c")


def run(seed: int, *, absent: str = "") -> EvaluationResult:
    """Evaluate random predictions, of which no image has the class ``absent``."""
    predictions = random_predictions(60, classes=CLASSES, seed=seed)
    label = np.where(predictions.label == absent, next(c for c in CLASSES if c != absent), predictions.label)
    return evaluate(replace(predictions, label=label), n_resamples=0)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [([0, 0], [1, 1], "The difference does not vary"), ([0, 1], [0, 1], "The difference does not vary")],
)
def test_the_reason_of_an_undefined_p_is_a_caveat(first: list[int], second: list[int], reason: str) -> None:
    groups = [{f"run{n}": run(seed) for n, seed in enumerate(seeds)} for seeds in (first, second)]
    report = compare_runs(groups, ["A", "B"], keys=[("accuracy", OVERALL), ("auc", MACRO)])
    assert all(np.isnan(comparison.primary_test.p) for comparison in report.comparisons)
    assert f"– means undefined. {reason}: Accuracy; AUC, mean of classes." in report.caveats


def test_differences_with_a_p_have_no_such_caveat() -> None:
    groups = [{f"run{n}": run(seed) for n, seed in enumerate(seeds)} for seeds in ([0, 1, 2], [3, 4, 5])]
    report = compare_runs(groups, ["A", "B"], keys=[("accuracy", OVERALL)])
    assert not [caveat for caveat in report.caveats if "undefined" in caveat or "without images" in caveat]


@pytest.mark.parametrize(
    ("absent", "expected"), [(["c", "", ""], "c in 1 of 3"), (["b", "c", "b"], "b in 2 of 3, c in 1")]
)
def test_averages_over_other_classes_have_a_caveat(absent: list[str], expected: str) -> None:
    runs = {f"run{n}": run(n, absent=name) for n, name in enumerate(absent)}
    report = compare_runs(
        [runs, {f"run{n}": run(n + 5) for n in range(3)}], ["A", "B"], keys=[("auc", MACRO)]
    )
    (caveat,) = [caveat for caveat in report.caveats if caveat.startswith("Runs of")]
    assert caveat.startswith(f"Runs of A without images of a class: {expected}")
    assert "over fewer classes than those of the other runs" in caveat
    report = compare_runs([runs, runs], ["A", "B"], keys=[("accuracy", OVERALL), ("auc", "a")])
    assert not [caveat for caveat in report.caveats if caveat.startswith("Runs of")]


def test_a_class_absent_in_all_runs_has_no_caveat() -> None:
    groups = [{f"run{n}": run(n + shift, absent="c") for n in range(3)} for shift in (0, 5)]
    report = compare_runs(groups, ["A", "B"], keys=[("auc", MACRO)])
    assert not [caveat for caveat in report.caveats if "without images of a class" in caveat]
