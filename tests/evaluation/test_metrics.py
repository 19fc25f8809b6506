"""Each metric against scikit-learn, unweighted and weighted, on data with ties; what is undefined is NaN."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lesionlens.evaluation import metrics
from lesionlens.evaluation.metrics import precision_recall_curve, roc_curve
from lesionlens.evaluation.metrics import threshold_sweep

WEIGHTS = st.integers(0, 4) | st.floats(0.1, 3)


@st.composite
def binary_cases(draw, weight=WEIGHTS):
    """Truth, scores with many ties and weights, some of them zero; both kinds weigh something."""
    n = draw(st.integers(2, 40))
    positive = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))) / 8
    weights = np.array(draw(st.lists(weight, min_size=n, max_size=n)), dtype=float)
    positive[:2], weights[:2] = (True, False), (1.0, 2.0)
    return positive, scores, weights


@given(binary_cases())
def test_auc_and_average_precision_are_those_of_sklearn(case) -> None:
    positive, scores, weights = case
    plain, weighted = threshold_sweep(positive, scores), threshold_sweep(positive, scores, weights)
    assert metrics.auc(plain) == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)
    assert metrics.average_precision(plain) == pytest.approx(
        sk.average_precision_score(positive, scores), abs=1e-12
    )
    expected = sk.roc_auc_score(positive, scores, sample_weight=weights)
    assert metrics.auc(weighted) == pytest.approx(expected, abs=1e-12)
    expected = sk.average_precision_score(positive, scores, sample_weight=weights)
    assert metrics.average_precision(weighted) == pytest.approx(expected, abs=1e-12)


@given(binary_cases(st.integers(0, 4)))
def test_curves_are_those_of_sklearn(case) -> None:
    positive, scores, weights = case
    fpr, tpr = roc_curve(threshold_sweep(positive, scores, weights))
    there = weights > 0  # sklearn leaves thresholds out at which nothing is found
    wanted = sk.roc_curve(
        positive[there], scores[there], sample_weight=weights[there], drop_intermediate=False
    )
    points, expected = np.column_stack([fpr, tpr]), np.column_stack(wanted[:2])
    np.testing.assert_array_equal(np.unique(points, axis=0), np.unique(expected, axis=0))
    recall, precision = precision_recall_curve(threshold_sweep(positive, scores))
    expected_precision, expected_recall, _ = sk.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(recall, expected_recall[::-1], atol=1e-12)
    np.testing.assert_allclose(precision, expected_precision[::-1], atol=1e-12)


@given(binary_cases())
def test_many_weightings_at_once_are_one_after_the_other(case) -> None:
    positive, scores, weights = case
    table = np.stack([weights, np.ones_like(weights), weights[::-1]])
    together = threshold_sweep(positive, scores, table)
    for row, each in enumerate(table):
        alone = threshold_sweep(positive, scores, each)
        np.testing.assert_allclose(metrics.auc(together)[row], metrics.auc(alone))
        np.testing.assert_allclose(metrics.average_precision(together)[row], metrics.average_precision(alone))
        np.testing.assert_array_equal(together.thresholds, alone.thresholds)


@given(st.data(), st.integers(2, 5))
def test_measures_of_decisions_are_those_of_sklearn(data: st.DataObject, k: int) -> None:
    n = data.draw(st.integers(k, 40))
    classes = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    truth, decided = np.array(data.draw(classes)), np.array(data.draw(classes))
    truth[:k] = np.arange(k)
    decided[:k] = np.roll(
        np.arange(k), data.draw(st.integers(0, k - 1))
    )  # each class is decided at least once
    weights = np.array(data.draw(st.lists(WEIGHTS, min_size=n, max_size=n)), dtype=float)
    weights[:k] = 1
    c = metrics.confusion_counts(truth[:, None] == range(k), decided[:, None] == range(k), weights)
    options = {"average": None, "sample_weight": weights, "labels": range(k), "zero_division": np.nan}
    np.testing.assert_allclose(metrics.sensitivity(c), sk.recall_score(truth, decided, **options), atol=1e-12)
    np.testing.assert_allclose(
        metrics.precision(c), sk.precision_score(truth, decided, **options), atol=1e-12
    )
    np.testing.assert_allclose(metrics.f1(c), sk.f1_score(truth, decided, **options), atol=1e-12)
    for one in range(k):
        specific = sk.recall_score(truth != one, decided != one, sample_weight=weights)
        assert metrics.specificity(c)[one] == pytest.approx(specific, abs=1e-12)
        right = sk.accuracy_score(truth == one, decided == one, sample_weight=weights)
        assert metrics.accuracy(c)[one] == pytest.approx(right, abs=1e-12)


def test_counts_of_a_case_worked_by_hand() -> None:
    positive = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=bool)
    predicted = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 1]], dtype=bool)
    c = metrics.confusion_counts(positive, predicted)
    assert [each.tolist() for each in c] == [[1, 2], [1, 1], [1, 1], [2, 1]]
    assert metrics.f1(c).tolist() == [0.5, 2 * 2 / (2 * 2 + 2)]


def test_what_is_undefined_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = threshold_sweep(np.zeros(3, dtype=bool), np.array([0.1, 0.2, 0.3]))
        everything = threshold_sweep(np.ones(3, dtype=bool), np.array([0.1, 0.2, 0.3]))
        assert np.isnan(metrics.auc(nothing))
        assert np.isnan(metrics.average_precision(nothing))
        assert np.isnan(metrics.auc(everything))
        assert metrics.average_precision(everything) == 1
        positive = np.array([[True, False, False]] * 3)
        predicted = np.array([[False, True, False]] * 3)
        c = metrics.confusion_counts(positive, predicted)
        np.testing.assert_array_equal(metrics.sensitivity(c), [0, np.nan, np.nan])
        np.testing.assert_array_equal(metrics.specificity(c), [np.nan, 0, 1])
        np.testing.assert_array_equal(metrics.precision(c), [np.nan, 0, np.nan])
        np.testing.assert_array_equal(metrics.f1(c), [0, np.nan, np.nan])


def test_a_replicate_without_any_weight_is_nan() -> None:
    weights = np.array([[0.0, 0.0], [1.0, 1.0]])
    s = threshold_sweep(np.array([True, False]), np.array([0.9, 0.1]), weights)
    np.testing.assert_array_equal(metrics.auc(s), [np.nan, 1])
    np.testing.assert_array_equal(metrics.average_precision(s), [np.nan, 1])
