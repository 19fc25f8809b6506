"""Variance of a metric within and between runs, if each run is evaluated several times: random-effects ANOVA."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats


class VarianceComponents(NamedTuple):
    """Components of the variance of a metric over runs that are evaluated several times each.

    Attributes
    ----------
    mean
        Mean over all evaluations.
    std_within, std_between
        Standard deviation over the evaluations of one run, and over the runs without that part.
    fraction_within
        Fraction of the variance of a single evaluation of a single run that is within runs; NaN for one run.
    low, high
        95 % confidence interval of ``fraction_within``.
    """

    mean: float
    std_within: float
    std_between: float
    fraction_within: float
    low: float
    high: float


def variance_components(
    values: Float[np.ndarray, "runs evaluations"], *, confidence: float = 0.95
) -> VarianceComponents:
    """Estimate the variance components of the one-way random-effects model (Shrout and Fleiss 1979, case 1).

    With n evaluations per run and F the ratio of the mean squares between and within runs, the fraction within is n /
    (F + n - 1), one minus the intraclass correlation. The interval is that of the F distribution.

    Parameters
    ----------
    values
        Value of each evaluation of each run; at least two evaluations.
    confidence
        Confidence level of the interval.

    Examples
    --------
    >>> parts = variance_components(np.array([[0.8, 0.82, 0.81], [0.9, 0.92, 0.91]]))
    >>> round(parts.mean, 2), round(parts.std_within, 3), round(parts.fraction_within, 3)
    (0.86, 0.01, 0.02)
    """
    runs, n = values.shape
    within = float(values.var(axis=1, ddof=1).mean())
    mean, std_within = float(values.mean()), within**0.5
    if runs == 1:
        return VarianceComponents(mean, std_within, np.nan, np.nan, np.nan, np.nan)
    between = n * float(values.mean(axis=1).var(ddof=1))
    std_between = max(0.0, (between - within) / n) ** 0.5
    if within == 0:
        fraction = 0.0 if between else np.nan
        return VarianceComponents(mean, 0.0, std_between, fraction, np.nan, np.nan)
    degrees = runs - 1, runs * (n - 1)
    f_ratio = between / within
    low, high = (stats.f.ppf((1 + sign * confidence) / 2, *degrees) for sign in (-1, 1))
    fractions = (_fraction_within(f_ratio / quantile, n) for quantile in (1.0, low, high))
    return VarianceComponents(mean, std_within, std_between, *fractions)


def _fraction_within(f_ratio: float, n: int) -> float:
    return float(min(1.0, n / (f_ratio + n - 1)))
