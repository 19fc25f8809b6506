"""Averages over classes against scikit-learn: macro, weighted, and weighted by decisions."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions

from ..helpers.random_predictions import random_predictions

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


@pytest.mark.parametrize("seed", range(3))
def test_every_average_is_that_of_sklearn(seed: int) -> None:
    p = random_predictions(250, seed=seed)
    found = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    hot = truth[:, None] == np.arange(7)
    for of in ("macro", "weighted"):
        assert found.value("precision", of) == pytest.approx(sk.precision_score(truth, decided, average=of))
        assert found.value("sensitivity", of) == pytest.approx(sk.recall_score(truth, decided, average=of))
        assert found.value("f1", of) == pytest.approx(sk.f1_score(truth, decided, average=of))
        assert found.value("auc", of) == pytest.approx(sk.roc_auc_score(hot, p.scores, average=of))
        ap = sk.average_precision_score(hot, p.scores, average=of)
        assert found.value("average_precision", of) == pytest.approx(ap)
    scaled = p.scores / p.scores.sum(axis=1, keepdims=True)
    ovr = sk.roc_auc_score(truth, scaled, multi_class="ovr", average="weighted")
    unrounded = Predictions(p.image_id, p.lesion_id, p.label, scaled, p.classes)
    assert evaluate(unrounded, n_resamples=0).value("auc", "weighted") == pytest.approx(ovr)
    assert found.value("sensitivity", "weighted") == pytest.approx(found.value("accuracy", "all"))


def test_sensitivity_and_specificity_of_many_classes_are_the_papers() -> None:
    p = random_predictions(200, seed=3)
    found = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    assert found.value("sensitivity") == pytest.approx(sk.balanced_accuracy_score(truth, decided))
    negatives = []
    for tn, fp, _, _ in (each.ravel() for each in sk.multilabel_confusion_matrix(truth, decided)):
        negatives.append(tn / (tn + fp))
    assert found.value("specificity") == pytest.approx(np.mean(negatives))


def test_swapped_f1_is_what_sklearn_gives_for_swapped_arguments() -> None:
    p = random_predictions(200, seed=5)
    found = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    swapped = sk.f1_score(decided, truth, average="weighted")
    assert found.value("f1_weighted_by_predictions", "weighted") == pytest.approx(swapped)
    assert swapped != pytest.approx(sk.f1_score(truth, decided, average="weighted"), abs=1e-4)


def test_intervals_are_those_of_a_plain_loop_over_sklearn() -> None:
    p = random_predictions(120, classes=THREE, seed=2)
    found = evaluate(p, n_resamples=20, seed=9, confidence=0.8)
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
            loop.setdefault((metric, "weighted"), []).append(value)
    for key, values in loop.items():
        estimate = found.estimate(*key)
        assert (estimate.low, estimate.high) == pytest.approx(np.percentile(values, [10, 90]), abs=1e-12), key


def test_a_class_that_is_never_decided_leaves_every_average_of_precision_alike() -> None:
    label = ["x"] * 6 + ["y"] * 3 + ["z"]
    scores = np.array([[0.8, 0.2, 0]] * 5 + [[0.1, 0.9, 0]] * 3 + [[0.7, 0.3, 0]] * 2)
    ids = [f"i{n}" for n in range(10)]
    found = evaluate(Predictions(ids, ids, label, scores, ("x", "y", "z")), n_resamples=0)
    # x: 5 of 7 decided are right; y: 2 of 3; z: none is decided
    assert found.value("precision", "macro") == pytest.approx((5 / 7 + 2 / 3) / 2)
    assert found.value("precision", "weighted") == pytest.approx((6 * 5 / 7 + 3 * 2 / 3) / 9)
    for of in ("macro", "weighted"):
        assert found.estimate("precision", of).caveat == "over 2 of 3 classes, without z"
        assert found.estimate("f1", of).caveat == ""
    truth, decided = np.array(label), np.array(["x", "y", "z"])[scores.argmax(axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found.value("f1", "weighted") == pytest.approx(sk.f1_score(truth, decided, average="weighted"))
        swapped = sk.f1_score(decided, truth, average="weighted")
    assert found.value("f1_weighted_by_predictions", "weighted") == pytest.approx(swapped)


def test_averages_over_nothing_have_no_number() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "x"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    found = evaluate(p, n_resamples=5)
    for of in ("macro", "weighted"):
        assert np.isnan(found.value("auc", of))
        assert found.estimate("auc", of).caveat == "not defined for any class"
