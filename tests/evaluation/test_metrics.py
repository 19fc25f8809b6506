"""Each metric against scikit-learn, unweighted and weighted, on data with ties; undefined values are NaN."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lesionlens.evaluation import metrics
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metrics import (
    FPR_GRID,
    compute_class_curves,
    downsample_curve,
    precision_recall_curve,
    roc_curve,
    threshold_sweep,
    tpr_at_fpr,
)

from ..helpers.random_predictions import random_predictions

WEIGHTS = st.integers(0, 4) | st.floats(0.1, 3)


@st.composite
def binary_cases(draw, weight=WEIGHTS):
    """Generate labels, scores with many ties, and weights of which some are zero; both classes have a weight."""
    n = draw(st.integers(2, 40))
    positive = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))) / 8
    weights = np.array(draw(st.lists(weight, min_size=n, max_size=n)), dtype=float)
    positive[:2], weights[:2] = (True, False), (1.0, 2.0)
    return positive, scores, weights


@given(binary_cases())
def test_ranking_metrics_match_sklearn(case) -> None:
    positive, scores, weights = case
    unweighted, weighted = threshold_sweep(positive, scores), threshold_sweep(positive, scores, weights)
    assert metrics.auc(unweighted) == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)
    assert metrics.average_precision(unweighted) == pytest.approx(
        sk.average_precision_score(positive, scores), abs=1e-12
    )
    expected = sk.roc_auc_score(positive, scores, sample_weight=weights)
    assert metrics.auc(weighted) == pytest.approx(expected, abs=1e-12)
    expected = sk.average_precision_score(positive, scores, sample_weight=weights)
    assert metrics.average_precision(weighted) == pytest.approx(expected, abs=1e-12)


@given(binary_cases(st.integers(0, 4)))
def test_curves_match_sklearn(case) -> None:
    positive, scores, weights = case
    fpr, tpr = roc_curve(threshold_sweep(positive, scores, weights))
    counted = weights > 0  # sklearn omits thresholds at which no image is predicted
    sklearn_curve = sk.roc_curve(
        positive[counted], scores[counted], sample_weight=weights[counted], drop_intermediate=False
    )
    points, expected = np.column_stack([fpr, tpr]), np.column_stack(sklearn_curve[:2])
    np.testing.assert_array_equal(np.unique(points, axis=0), np.unique(expected, axis=0))
    recall, precision = precision_recall_curve(threshold_sweep(positive, scores))
    expected_precision, expected_recall, _ = sk.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(recall, expected_recall[::-1], atol=1e-12)
    np.testing.assert_allclose(precision, expected_precision[::-1], atol=1e-12)


@given(binary_cases())
def test_many_weightings_match_single_ones(case) -> None:
    positive, scores, weights = case
    table = np.stack([weights, np.ones_like(weights), weights[::-1]])
    together = threshold_sweep(positive, scores, table)
    for row, row_weights in enumerate(table):
        single = threshold_sweep(positive, scores, row_weights)
        np.testing.assert_allclose(metrics.auc(together)[row], metrics.auc(single))
        np.testing.assert_allclose(
            metrics.average_precision(together)[row], metrics.average_precision(single)
        )
        np.testing.assert_array_equal(together.thresholds, single.thresholds)


@given(st.data(), st.integers(2, 5))
def test_decision_metrics_match_sklearn(data: st.DataObject, k: int) -> None:
    n = data.draw(st.integers(k, 40))
    classes = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    truth, predicted = np.array(data.draw(classes)), np.array(data.draw(classes))
    truth[:k] = np.arange(k)
    predicted[:k] = np.roll(
        np.arange(k), data.draw(st.integers(0, k - 1))
    )  # each class is predicted at least once
    weights = np.array(data.draw(st.lists(WEIGHTS, min_size=n, max_size=n)), dtype=float)
    weights[:k] = 1
    c = metrics.confusion_counts(truth[:, None] == range(k), predicted[:, None] == range(k), weights)
    options = {"average": None, "sample_weight": weights, "labels": range(k), "zero_division": np.nan}
    np.testing.assert_allclose(
        metrics.sensitivity(c), sk.recall_score(truth, predicted, **options), atol=1e-12
    )
    np.testing.assert_allclose(
        metrics.precision(c), sk.precision_score(truth, predicted, **options), atol=1e-12
    )
    np.testing.assert_allclose(metrics.f1(c), sk.f1_score(truth, predicted, **options), atol=1e-12)
    for label in range(k):
        specificity = sk.recall_score(truth != label, predicted != label, sample_weight=weights)
        assert metrics.specificity(c)[label] == pytest.approx(specificity, abs=1e-12)
        accuracy = sk.accuracy_score(truth == label, predicted == label, sample_weight=weights)
        assert metrics.accuracy(c)[label] == pytest.approx(accuracy, abs=1e-12)


def test_confusion_counts_of_a_hand_computed_case() -> None:
    positive = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=bool)
    predicted = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [0, 1]], dtype=bool)
    c = metrics.confusion_counts(positive, predicted)
    assert [values.tolist() for values in c] == [[1, 2], [1, 1], [1, 1], [2, 1]]
    assert metrics.f1(c).tolist() == [0.5, 2 * 2 / (2 * 2 + 2)]


def test_undefined_is_nan_without_a_warning() -> None:
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


def test_resample_without_weight_is_nan() -> None:
    weights = np.array([[0.0, 0.0], [1.0, 1.0]])
    s = threshold_sweep(np.array([True, False]), np.array([0.9, 0.1]), weights)
    np.testing.assert_array_equal(metrics.auc(s), [np.nan, 1])
    np.testing.assert_array_equal(metrics.average_precision(s), [np.nan, 1])


def test_curves_of_a_hand_computed_case() -> None:
    s = threshold_sweep(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.8, 0.1]))
    assert [values.tolist() for values in roc_curve(s)] == [[0, 0, 0.5, 1], [0, 0.5, 1, 1]]
    assert [values.tolist() for values in precision_recall_curve(s)] == [[0, 0.5, 1, 1], [1, 1, 2 / 3, 0.5]]
    # at a false positive rate of 0 the curve has already climbed to 0.5
    np.testing.assert_allclose(tpr_at_fpr(s, np.array([0, 0.25, 0.5, 1])), [[0.5, 0.75, 1, 1]])


def test_downsampled_curve_keeps_ends_and_area() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(5000) < 0.3
    x, y = roc_curve(threshold_sweep(positive, rng.normal(size=5000) + positive))
    few_x, few_y = downsample_curve(x, y)
    assert 100 < len(few_x) <= 200
    assert (few_x[0], few_y[0], few_x[-1], few_y[-1]) == (0, 0, 1, 1)
    assert abs(np.trapezoid(few_y, few_x) - np.trapezoid(y, x)) < 0.002
    assert downsample_curve(x[:50], y[:50])[0] is not few_x
    np.testing.assert_array_equal(downsample_curve(x[:50], y[:50])[1], y[:50])


def test_band_is_pointwise_and_contains_the_curve() -> None:
    rates = np.array([[0.0, 0.2, 1.0], [0.2, 0.4, 1.0], [np.nan, np.nan, np.nan]])
    s = threshold_sweep(np.array([True, False]), np.array([0.9, 0.1]))
    c = compute_class_curves(s, np.repeat(rates, 34, axis=1)[:, :101], confidence=0.5)
    assert (c.tpr_low[0], c.tpr_high[0]) == (0.05, 0.15)
    curves = evaluate(random_predictions(300), n_resamples=200).curves["nevus"]
    assert curves.fpr_grid == tuple(FPR_GRID.round(5))
    middle = np.interp(FPR_GRID, curves.fpr, curves.tpr)
    inside = (np.array(curves.tpr_low) - 0.01 <= middle) & (middle <= np.array(curves.tpr_high) + 0.01)
    assert inside.all()


def test_no_band_without_a_bootstrap() -> None:
    assert evaluate(random_predictions(60), n_resamples=0).curves["nevus"].fpr_grid == ()
