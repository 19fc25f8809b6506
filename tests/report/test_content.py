"""How a network learnt, in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule, Thresholds
from lesionlens.report.content import class_rows, headline_metrics, training_summary
from lesionlens.report.load import RunData

USED = {"data": {"attention_prior": {"images": 8, "num_used": 2, "mean_iou": 0.8044}}}


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ({"target": "none"}, ""),
        ({"target": "lesion", "mask_fraction": 0}, ""),
        ({"target": "lesion"}, "lesion masks"),
        ({"target": "lesion", "weight": {"pool4": 0.01}}, "lesion masks, weights: pool4 0.01"),
        (
            {"target": "background", "mask_fraction": 0.25, "mask_degradation": "polygon", "severity": 8.0},
            "background masks of 25 % of the images, polygon 8, Jaccard index with the exact ones 0.804",
        ),
    ],
)
def test_a_prior_is_told_with_its_dimensions(prior: dict[str, Any], said: str) -> None:
    run = RunData(Path("run"), USED, {"attention_prior": prior}, "", None, {}, {}, ())
    assert dict(training_summary(run))["Attention prior"] == said


def measured(
    melanomas: int,
    others: int,
    *,
    right: bool = False,
    replicates: int = 50,
    decision: DecisionRule = "argmax",
):
    rng = np.random.default_rng(0)
    label = np.array(["melanoma"] * melanomas + ["nevus"] * others)
    score = rng.uniform(0.2, 0.8, len(label))
    if right:
        score = np.where(label == "melanoma", 0.9, 0.1)
    ids = np.array([f"i{n}" for n in range(len(label))])
    predictions = Predictions(ids, ids, label, np.column_stack([score, 1 - score]), ("melanoma", "nevus"))
    return evaluate(predictions, n_resamples=replicates, decision=decision)


def intervals(evaluation) -> dict[str, tuple[str, bool]]:
    return {
        each.title: (each.interval_label, bool(each.cell.interval)) for each in headline_metrics(evaluation)
    }


FEW = ("too few lesions for an interval", False)
SURE = ("95 % interval", True)


def test_an_interval_stands_where_ten_lesions_carry_it() -> None:
    assert set(intervals(measured(10, 40)).values()) == {SURE}
    found = intervals(measured(9, 40))
    assert found.pop("Sensitivity, melanoma") == FEW  # of nine lesions; the others rest on more
    assert set(found.values()) == {SURE}
    assert set(intervals(measured(4, 5)).values()) == {FEW}


@pytest.mark.parametrize(("replicates", "said"), [(50, FEW), (0, ("without interval", False))])
def test_an_interval_without_width_is_none(replicates: int, said: tuple[str, bool]) -> None:
    assert set(intervals(measured(30, 30, right=True, replicates=replicates)).values()) == {said}


@pytest.mark.parametrize(
    ("thresholds", "found", "spared"),
    [
        ({"melanoma": 0.25}, "have a score of 0.25 or more for it", "the score of melanoma was below 0.25"),
        (
            {"nevus": 0.25},
            "reach the threshold of no other class",
            "the threshold of another class was reached",
        ),
    ],
)
def test_what_a_threshold_decides_is_said(thresholds: dict[str, float], found: str, spared: str) -> None:
    evaluation = measured(10, 40, decision=Thresholds(thresholds))
    _, balanced, sensitivity, specificity = headline_metrics(evaluation)
    assert "images are given it alone" in balanced.explanation
    assert found in sensitivity.explanation
    assert spared in specificity.explanation
    counts = evaluation.confusion_matrix
    assert sensitivity.explanation.startswith(f"{counts[0][0]} of 10 images labelled melanoma")
    assert f"False alarms, taken for melanoma: {counts[1][0]}." in specificity.explanation


def test_averages_stand_below_the_classes() -> None:
    found = measured(10, 40)
    *_, mean, weighted = class_rows(found)
    assert (mean.name, weighted.name) == ("mean of classes", "weighted mean")
    assert mean.is_average
    assert weighted.is_average
    assert weighted.cells[-1].value == f"{found.value('f1', 'weighted'):.3f}"


def test_specificity_counts_the_false_alarms() -> None:
    found = measured(10, 40)
    alarms = found.confusion_matrix[1][0]
    assert 0 < alarms < 40
    assert headline_metrics(found)[3].explanation == (
        f"40 images are labelled something else. For {40 - alarms} of them another class than melanoma had the "
        f"largest score, as it should be. False alarms, taken for melanoma: {alarms}."
    )
