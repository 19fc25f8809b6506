"""Tests of the rank correlation against scipy, with ties and repeated observations."""

import math

import numpy as np
import pytest
from scipy import stats

from lesionlens.evaluation.rank_correlation import bootstrap_rank_correlation, rank_correlation


def test_equals_scipy_with_ties_and_repetitions() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 40).astype(float), rng.normal(size=40).round(1)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    weights = rng.integers(0, 4, (3, 40))
    expected = [stats.spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic for row in weights]
    assert rank_correlation(x, y, weights) == pytest.approx(expected)
    assert math.isnan(rank_correlation(np.ones(4), np.arange(4)))


def test_lesions_are_resampled_with_all_observations() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    lesion = np.repeat(np.arange(20), 3).astype(str)
    resampled = bootstrap_rank_correlation(x, y, lesion)
    expected = []
    for _ in range(1000):  # independent resamples
        rows = np.concatenate([np.flatnonzero(lesion == name) for name in rng.choice(np.unique(lesion), 20)])
        expected.append(stats.spearmanr(x[rows], y[rows]).statistic)
    assert np.quantile(resampled, [0.025, 0.5, 0.975]) == pytest.approx(
        np.quantile(expected, [0.025, 0.5, 0.975]), abs=0.03
    )
