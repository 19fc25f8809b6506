"""Averages over classes against scikit-learn: macro, weighted, and weighted by predictions."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.predictions import Predictions

from ..helpers.random_predictions import random_predictions

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


@pytest.mark.parametrize("seed", range(3))
def test_averages_match_sklearn(seed: int) -> None:
    p = random_predictions(250, seed=seed)
    result = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    hot = truth[:, None] == np.arange(7)
    for scope in (MACRO, WEIGHTED):
        assert result.value("precision", scope) == pytest.approx(
            sk.precision_score(truth, decided, average=str(scope))
        )
        assert result.value("sensitivity", scope) == pytest.approx(
            sk.recall_score(truth, decided, average=str(scope))
        )
        assert result.value("f1", scope) == pytest.approx(sk.f1_score(truth, decided, average=str(scope)))
        assert result.value("auc", scope) == pytest.approx(
            sk.roc_auc_score(hot, p.scores, average=str(scope))
        )
        ap = sk.average_precision_score(hot, p.scores, average=str(scope))
        assert result.value("average_precision", scope) == pytest.approx(ap)
    scaled = p.scores / p.scores.sum(axis=1, keepdims=True)
    ovr = sk.roc_auc_score(truth, scaled, multi_class="ovr", average="weighted")
    unrounded = Predictions(p.image_id, p.lesion_id, p.label, scaled, p.classes)
    assert evaluate(unrounded, n_resamples=0).value("auc", WEIGHTED) == pytest.approx(ovr)
    assert result.value("sensitivity", WEIGHTED) == pytest.approx(result.value("accuracy", OVERALL))


def test_macro_sensitivity_and_specificity_match_the_papers() -> None:
    p = random_predictions(200, seed=3)
    result = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    assert result.value("sensitivity") == pytest.approx(sk.balanced_accuracy_score(truth, decided))
    negatives = []
    for tn, fp, _, _ in (table.ravel() for table in sk.multilabel_confusion_matrix(truth, decided)):
        negatives.append(tn / (tn + fp))
    assert result.value("specificity") == pytest.approx(np.mean(negatives))


def test_f1_weighted_by_predictions_is_swapped_sklearn_f1() -> None:
    p = random_predictions(200, seed=5)
    result = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    swapped = sk.f1_score(decided, truth, average="weighted")
    assert result.value("f1_weighted_by_predictions", WEIGHTED) == pytest.approx(swapped)
    assert swapped != pytest.approx(sk.f1_score(truth, decided, average="weighted"), abs=1e-4)


def test_average_intervals_match_a_loop_over_sklearn() -> None:
    p = random_predictions(120, classes=THREE, seed=2)
    result = evaluate(p, n_resamples=20, seed=9, confidence=0.8)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    loop: dict[tuple[str, str], list[float]] = {}
    for weights in np.concatenate(list(cluster_bootstrap_weights(p.lesion_id, n_resamples=20, seed=9))):
        options = {"average": "weighted", "sample_weight": weights}
        measured = {
            "precision": sk.precision_score(truth, decided, **options),
            "f1": sk.f1_score(truth, decided, **options),
            "f1_weighted_by_predictions": sk.f1_score(decided, truth, **options),
            "auc": sk.roc_auc_score(np.eye(3)[truth], p.scores, **options),
            "average_precision": sk.average_precision_score(np.eye(3)[truth], p.scores, **options),
        }
        for metric, value in measured.items():
            loop.setdefault((metric, WEIGHTED), []).append(value)
    for key, values in loop.items():
        estimate = result.estimate(*key)
        assert (estimate.low, estimate.high) == pytest.approx(np.percentile(values, [10, 90]), abs=1e-12), key


def test_never_predicted_class_is_not_in_precision_averages() -> None:
    label = ["x"] * 6 + ["y"] * 3 + ["z"]
    scores = np.array([[0.8, 0.2, 0]] * 5 + [[0.1, 0.9, 0]] * 3 + [[0.7, 0.3, 0]] * 2)
    ids = [f"i{n}" for n in range(10)]
    result = evaluate(Predictions(ids, ids, label, scores, ("x", "y", "z")), n_resamples=0)
    # x: 5 of 7 predictions are correct; y: 2 of 3; z: never predicted
    assert result.value("precision", MACRO) == pytest.approx((5 / 7 + 2 / 3) / 2)
    assert result.value("precision", WEIGHTED) == pytest.approx((6 * 5 / 7 + 3 * 2 / 3) / 9)
    for scope in (MACRO, WEIGHTED):
        assert result.estimate("precision", scope).caveat == "over 2 of 3 classes, without z"
        assert result.estimate("f1", scope).caveat == ""
    truth, decided = np.array(label), np.array(["x", "y", "z"])[scores.argmax(axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert result.value("f1", WEIGHTED) == pytest.approx(sk.f1_score(truth, decided, average="weighted"))
        swapped = sk.f1_score(decided, truth, average="weighted")
    assert result.value("f1_weighted_by_predictions", WEIGHTED) == pytest.approx(swapped)


def test_averages_are_undefined_without_a_defined_class() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "x"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    result = evaluate(p, n_resamples=5)
    for scope in (MACRO, WEIGHTED):
        assert np.isnan(result.value("auc", scope))
        assert result.estimate("auc", scope).caveat == "not defined for any class"
