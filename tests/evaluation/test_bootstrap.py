"""The bootstrap samples lesions, not images, and its intervals match a simple loop."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from lesionlens.core.bootstrap import (
    bias_corrected_interval,
    cluster_bootstrap_weights,
    combine_intervals,
    percentile_interval,
    remove_bias,
)
from lesionlens.evaluation import metrics
from lesionlens.evaluation.metrics import threshold_sweep

LESIONS = np.array(["b", "a", "b", "c", "d", "d", "d"])


def all_weights(lesions: np.ndarray, **options: int) -> np.ndarray:
    return np.concatenate(list(cluster_bootstrap_weights(lesions, **options)))


def test_images_of_a_lesion_are_sampled_together() -> None:
    weights = all_weights(LESIONS, n_resamples=50, seed=3)
    assert weights.shape == (50, 7)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 4], weights[:, 6])
    np.testing.assert_array_equal(weights[:, [0, 1, 3, 4]].sum(axis=1), 4)
    assert len(np.unique(weights, axis=0)) > 20


def test_samples_depend_on_the_seed_and_not_on_the_chunk_size() -> None:
    reference = all_weights(LESIONS, n_resamples=30, seed=5)
    np.testing.assert_array_equal(reference, all_weights(LESIONS, n_resamples=30, seed=5, chunk_size=20))
    assert [
        len(chunk) for chunk in cluster_bootstrap_weights(LESIONS, n_resamples=5, seed=5, chunk_size=14)
    ] == [2, 2, 1]
    assert (reference != all_weights(LESIONS, n_resamples=30, seed=6)).any()


def test_each_lesion_is_sampled_once_on_average() -> None:
    weights = all_weights(LESIONS, n_resamples=4000, seed=0)
    # the count of a lesion is binomial(4, 1/4): its mean over 4000 resamples has a standard error of 0.014
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)


def test_interval_matches_a_loop_over_sklearn() -> None:
    rng = np.random.default_rng(1)
    lesions = rng.integers(0, 40, 70)
    positive = (lesions % 3 == 0) ^ (rng.random(70) < 0.1)
    scores = np.round(np.clip(0.35 * positive + rng.random(70) * 0.65, 0, 1), 1)
    areas, precisions = [], []
    rng_resample = np.random.default_rng(7)
    names = np.unique(lesions)
    for _ in range(200):
        sampled = names[rng_resample.integers(len(names), size=len(names))]
        images = np.concatenate([np.flatnonzero(lesions == lesion) for lesion in sampled])
        areas.append(roc_auc_score(positive[images], scores[images]))
        precisions.append(average_precision_score(positive[images], scores[images]))
    s = threshold_sweep(positive, scores, all_weights(lesions, n_resamples=200, seed=7))
    np.testing.assert_allclose(metrics.auc(s), areas, atol=1e-12)
    np.testing.assert_allclose(metrics.average_precision(s), precisions, atol=1e-12)
    interval = percentile_interval(metrics.auc(s), confidence=0.9)
    assert interval[:2] == pytest.approx(np.percentile(areas, [5, 95]), abs=1e-12)


def test_undefined_resamples_are_excluded_and_counted() -> None:
    assert percentile_interval(np.array([np.nan, 1.0, 2.0, np.nan]), confidence=0.5) == (1.25, 1.75, 0.5)
    undefined = percentile_interval(np.array([np.nan, np.nan]))
    assert np.isnan([undefined.low, undefined.high]).all()
    assert undefined.undefined_fraction == 1


@pytest.mark.slow
def test_coverage_over_lesions_is_nominal_but_not_over_images() -> None:
    """120 lesions of four images with the same score: the AUC of two normals one apart is 0.760."""
    truth = 0.7602499389065233  # Φ(1/√2)
    covered = {"lesions": 0, "images": 0}
    for trial in range(300):
        rng = np.random.default_rng(trial)
        lesion_positive = rng.random(120) < 0.4
        lesions = np.repeat(np.arange(120), 4)
        positive = lesion_positive[lesions]
        scores = (rng.normal(size=120) + lesion_positive)[lesions]
        for unit, groups in (("lesions", lesions), ("images", np.arange(480))):
            s = threshold_sweep(positive, scores, all_weights(groups, n_resamples=400, seed=trial))
            interval = percentile_interval(metrics.auc(s))
            covered[unit] += interval.low <= truth <= interval.high
    # of 300 trials at 95 %, 285 are expected, with a standard deviation of 3.8
    assert 270 <= covered["lesions"] <= 297
    assert covered["images"] < 240


def test_symmetric_intervals_combine_as_standard_errors() -> None:
    low, high = combine_intervals((0.5, 0.2, 0.8), (0.1, -0.3, 0.5))
    assert (low, high) == pytest.approx((0.4 - 0.5, 0.4 + 0.5))


def test_bias_is_removed_from_resampled_values() -> None:
    resampled = np.array([0.3, 0.5, np.nan])
    np.testing.assert_allclose(remove_bias(resampled, 0.1), [0.0, 0.2, np.nan], atol=1e-12)
    interval = bias_corrected_interval(0.05, np.linspace(0.1, 0.3, 101))
    assert interval.low == 0  # 0.05 is below the resampled values by 0.15
    assert interval.high == pytest.approx(0.05 + 0.095)
    assert np.isnan(bias_corrected_interval(0.0, np.zeros(5)).low)
