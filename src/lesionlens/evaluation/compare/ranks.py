"""Wilcoxon's signed ranks over pairs of runs."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionlens.evaluation.compare.comparison import Alternative, SignificanceResult, check_alternative, paired_differences

WILCOXON = "Wilcoxon"


def wilcoxon(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
) -> SignificanceResult:
    """Compare pairs of runs, (n,) each, by the signed ranks of their differences (Wilcoxon 1945).

    Pairs without a difference are left out of the ranks, and where none differs p is 1. As few as five pairs cannot
    come below p = 0.06 (two-sided), whatever they show. The difference given is the median of the pairs' own, for
    which this test has no interval; that the differences are symmetric is assumed, that they are normal is not.

    Raises
    ------
    ComparisonError
        No pair, unequal numbers, or a number that is not finite.
    """
    check_alternative(alternative)
    differences = paired_differences(a, b, min_size=1)
    statistic, p = 0.0, 1.0
    if differences.any():
        found = stats.wilcoxon(differences[differences != 0], alternative=alternative)
        statistic, p = float(found.statistic), float(found.pvalue)
    median = float(np.median(differences))
    return SignificanceResult(median, math.nan, math.nan, statistic, p, len(differences), "runs", WILCOXON)
