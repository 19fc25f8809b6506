"""Metrics and training summary of a report, in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import WEIGHTED
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule, Thresholds
from lesionlens.report.content import class_rows, headline_metrics
from lesionlens.report.load import RunData
from lesionlens.report.setup import training_summary

USED = {"data": {"attention_prior": {"images": 8, "num_used": 2, "mean_iou": 0.8044}}}


@pytest.mark.parametrize(
    ("prior", "summary"),
    [
        ({"target": "none"}, ""),
        ({"target": "lesion", "mask_fraction": 0}, ""),
        ({"target": "lesion"}, "lesion masks"),
        ({"target": "lesion", "weight": {"pool4": 0.01}}, "lesion masks, weights: pool4 0.01"),
        (
            {"target": "background", "mask_fraction": 0.25, "mask_degradation": "polygon", "severity": 8.0},
            "background masks of 25 % of the images, polygon 8, IoU with the exact masks 0.804",
        ),
    ],
)
def test_attention_prior_summary(prior: dict[str, Any], summary: str) -> None:
    run = RunData(Path("run"), USED, {"attention_prior": prior}, "", None, {}, {}, ())
    assert dict(training_summary(run))["Attention prior"] == summary


def simulate_evaluation(
    melanomas: int,
    others: int,
    *,
    perfect: bool = False,
    n_resamples: int = 50,
    decision: DecisionRule = "argmax",
):
    rng = np.random.default_rng(0)
    label = np.array(["melanoma"] * melanomas + ["nevus"] * others)
    score = rng.uniform(0.2, 0.8, len(label))
    if perfect:
        score = np.where(label == "melanoma", 0.9, 0.1)
    ids = np.array([f"i{n}" for n in range(len(label))])
    predictions = Predictions(ids, ids, label, np.column_stack([score, 1 - score]), ("melanoma", "nevus"))
    return evaluate(predictions, n_resamples=n_resamples, decision=decision)


def intervals(evaluation) -> dict[str, tuple[str, bool]]:
    return {
        headline.title: (headline.interval_label, bool(headline.cell.interval))
        for headline in headline_metrics(evaluation)
    }


TOO_FEW = ("too few lesions for an interval", False)
WITH_INTERVAL = ("95 % interval", True)


def test_interval_needs_ten_lesions() -> None:
    assert set(intervals(simulate_evaluation(10, 40)).values()) == {WITH_INTERVAL}
    labels = intervals(simulate_evaluation(9, 40))
    assert labels.pop("Sensitivity, melanoma") == TOO_FEW  # nine lesions; the other metrics have more
    assert set(labels.values()) == {WITH_INTERVAL}
    assert set(intervals(simulate_evaluation(4, 5)).values()) == {TOO_FEW}


@pytest.mark.parametrize(
    ("n_resamples", "label"), [(50, ("interval not defined", False)), (0, ("without interval", False))]
)
def test_interval_without_width_is_not_shown(n_resamples: int, label: tuple[str, bool]) -> None:
    assert set(intervals(simulate_evaluation(30, 30, perfect=True, n_resamples=n_resamples)).values()) == {
        label
    }


@pytest.mark.parametrize(
    ("thresholds", "predicted", "not_predicted"),
    [
        (
            {"melanoma": 0.25},
            "have a score of 0.25 or more for melanoma",
            "the score of melanoma is below 0.25",
        ),
        (
            {"nevus": 0.25},
            "reach the threshold of no other class",
            "the threshold of another class is reached",
        ),
    ],
)
def test_explanations_of_threshold_decisions(
    thresholds: dict[str, float], predicted: str, not_predicted: str
) -> None:
    evaluation = simulate_evaluation(10, 40, decision=Thresholds(thresholds))
    _, balanced, sensitivity, specificity = headline_metrics(evaluation)
    assert "images of a class are predicted to be only of that class" in balanced.explanation
    assert predicted in sensitivity.explanation
    assert not_predicted in specificity.explanation
    counts = evaluation.confusion_matrix
    assert sensitivity.explanation.startswith(f"{counts[0][0]} of 10 images with the label melanoma")
    assert f"False positives: {counts[1][0]}." in specificity.explanation


def test_averages_are_below_the_classes() -> None:
    evaluation = simulate_evaluation(10, 40)
    *_, mean, weighted = class_rows(evaluation)
    assert (mean.name, weighted.name) == ("mean of classes", "weighted mean")
    assert mean.is_average
    assert weighted.is_average
    assert weighted.cells[-1].value == f"{evaluation.value('f1', WEIGHTED):.3f}"


def test_specificity_explanation_counts_false_positives() -> None:
    evaluation = simulate_evaluation(10, 40)
    false_positives = evaluation.confusion_matrix[1][0]
    assert 0 < false_positives < 40
    assert headline_metrics(evaluation)[3].explanation == (
        f"40 images have another label. For {40 - false_positives} of them a class other than melanoma has the largest "
        f"score, which is correct. False positives: {false_positives}."
    )
