"""Curves: thinned without harm, with a band around them."""

import numpy as np

from lesionlens.evaluation.metrics import FPR_GRID, compute_class_curves, precision_recall_curve, roc_curve, downsample_curve, tpr_at_fpr
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metrics import threshold_sweep

from .cases import random_predictions


def test_a_curve_worked_by_hand() -> None:
    s = threshold_sweep(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.8, 0.1]))
    assert [each.tolist() for each in roc_curve(s)] == [[0, 0, 0.5, 1], [0, 0.5, 1, 1]]
    assert [each.tolist() for each in precision_recall_curve(s)] == [[0, 0.5, 1, 1], [1, 1, 2 / 3, 0.5]]
    # at a false positive rate of 0 the curve has already climbed to 0.5
    np.testing.assert_allclose(tpr_at_fpr(s, np.array([0, 0.25, 0.5, 1])), [[0.5, 0.75, 1, 1]])


def test_thinning_keeps_the_ends_and_loses_no_area() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(5000) < 0.3
    x, y = roc_curve(threshold_sweep(positive, rng.normal(size=5000) + positive))
    few_x, few_y = downsample_curve(x, y)
    assert 100 < len(few_x) <= 200
    assert (few_x[0], few_y[0], few_x[-1], few_y[-1]) == (0, 0, 1, 1)
    assert abs(np.trapezoid(few_y, few_x) - np.trapezoid(y, x)) < 0.002
    assert downsample_curve(x[:50], y[:50])[0] is not few_x
    np.testing.assert_array_equal(downsample_curve(x[:50], y[:50])[1], y[:50])


def test_the_band_is_pointwise_and_holds_the_curve() -> None:
    rates = np.array([[0.0, 0.2, 1.0], [0.2, 0.4, 1.0], [np.nan, np.nan, np.nan]])
    s = threshold_sweep(np.array([True, False]), np.array([0.9, 0.1]))
    c = compute_class_curves(s, np.repeat(rates, 34, axis=1)[:, :101], confidence=0.5)
    assert (c.tpr_low[0], c.tpr_high[0]) == (0.05, 0.15)
    found = evaluate(random_predictions(300), n_resamples=200).curves["nevus"]
    assert found.fpr_grid == tuple(FPR_GRID.round(5))
    middle = np.interp(FPR_GRID, found.fpr, found.tpr)
    held = (np.array(found.tpr_low) - 0.01 <= middle) & (middle <= np.array(found.tpr_high) + 0.01)
    assert held.all()


def test_without_a_bootstrap_there_is_no_band() -> None:
    assert evaluate(random_predictions(60), n_resamples=0).curves["nevus"].fpr_grid == ()
