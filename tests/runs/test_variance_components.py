"""Variance components of repeated evaluations, against scipy's one-way ANOVA and simulated components."""

import numpy as np
import pytest
from scipy import stats

from lesionlens.runs.variance_components import variance_components


def test_fraction_is_that_of_the_intraclass_correlation() -> None:
    values = np.random.default_rng(0).normal(size=(6, 4)) + np.arange(6)[:, None]
    parts = variance_components(values)
    f_ratio = stats.f_oneway(*values).statistic
    correlation = (f_ratio - 1) / (f_ratio + 4 - 1)
    assert parts.fraction_within == pytest.approx(1 - correlation)
    assert parts.std_within**2 / (parts.std_within**2 + parts.std_between**2) == pytest.approx(
        1 - correlation
    )
    assert parts.low < parts.fraction_within < parts.high


def test_interval_covers_the_true_fraction() -> None:
    rng, n = np.random.default_rng(1), 1000
    samples = rng.normal(size=(n, 10, 20)) + 0.5 * rng.normal(size=(n, 10, 1))  # fraction within: 0.8
    parts = [variance_components(sample) for sample in samples]
    coverage = np.mean([part.low <= 0.8 <= part.high for part in parts])
    assert coverage == pytest.approx(0.95, abs=0.02)


def test_undefined_and_extreme_components() -> None:
    one_run = variance_components(np.array([[0.5, 0.7]]))
    assert np.isnan(one_run.fraction_within)
    assert one_run.std_within == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert variance_components(np.array([[0.5, 0.7], [0.7, 0.5]])).fraction_within == 1
    assert variance_components(np.array([[0.5, 0.5], [0.7, 0.7]])).fraction_within == 0
