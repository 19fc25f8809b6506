"""Tests of a difference: over runs (t, Wilcoxon, sign flips) and over images (McNemar)."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.comparison.result import (
    Alternative,
    SignificanceResult,
    check_alternative,
    check_boolean,
    check_confidence,
    check_sample,
    count_as_extreme,
    paired_differences,
)

SIGN_FLIP = "sign flip"
MAX_EXACT_PAIRS = 14  # pairs up to which all 2^n signs are gone through
_N_RANDOM_SIGNS = 2**MAX_EXACT_PAIRS - 1


def sign_flip_permutation_test(
    differences: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
    seed: int = 0,
) -> SignificanceResult:
    """Judge the mean of differences of pairs of runs, (n,), by turning their signs (Fisher 1935, section 21).

    Up to 14 pairs go through all 2^n signs, so that p is exact and not below 2 / 2^n (two-sided); more draw 16,383
    at random and count what was observed as one of the draws (Phipson and Smyth 2010). The statistic is the mean
    itself; an interval there is none.

    Raises
    ------
    ComparisonError
        No difference, or one that is not finite.
    """
    check_alternative(alternative)
    found = check_sample(differences, min_size=1)
    n, mean = len(found), float(found.mean())
    means = _sample_signs(n, seed) @ found / n
    observed = 0 if n <= MAX_EXACT_PAIRS else 1
    p = (count_as_extreme(means, mean, alternative) + observed) / (len(means) + observed)
    return SignificanceResult(mean, math.nan, math.nan, mean, p, n, "runs", SIGN_FLIP)


def _sample_signs(n: int, seed: int) -> FloatArray:
    if n <= MAX_EXACT_PAIRS:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return np.random.default_rng(seed).choice([1.0, -1.0], size=(_N_RANDOM_SIGNS, n))


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


MCNEMAR, MCNEMAR_CORRECTED = "McNemar", "McNemar, corrected"


def mcnemar(
    correct_a: NDArray[Any], correct_b: NDArray[Any], *, exact: bool = True, confidence: float = 0.95
) -> SignificanceResult:
    """Compare the shares of images, (n,), that two models decide rightly.

    Only the images count that one model has right and the other wrong (McNemar 1947). Images count as independent:
    where a lesion has several, p is too small.

    Parameters
    ----------
    exact
        By the binomial distribution, the statistic being the images that only the first has right; else by χ² with
        one degree of freedom and Edwards's continuity correction, for many images.
    confidence
        Of Wald's interval of the difference of paired shares.

    Raises
    ------
    ComparisonError
        No image, arrays of different lengths, or anything in them but true and false.
    """
    check_confidence(confidence)
    a, b = check_boolean(correct_a), check_boolean(correct_b)
    if a.shape != b.shape or not len(a):
        raise ComparisonError(f"arrays of {a.shape} and {b.shape}: give right or wrong of the same images")
    n, only_a, only_b = len(a), int((a & ~b).sum()), int((~a & b).sum())
    difference = (only_a - only_b) / n
    error = math.sqrt(only_a + only_b - (only_a - only_b) ** 2 / n) / n
    half = error * float(stats.norm.ppf((1 + confidence) / 2))
    statistic, p = _exact_mcnemar(only_a, only_b) if exact else _corrected_mcnemar(only_a, only_b)
    test = MCNEMAR if exact else MCNEMAR_CORRECTED
    return SignificanceResult(
        difference, difference - half, difference + half, statistic, p, n, "images", test
    )


def _exact_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Twice the smaller tail; without a discordant image p is 1."""
    tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    return float(only_a), min(1.0, 2 * float(tail))


def _corrected_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    if only_a == only_b:
        return 0.0, 1.0
    statistic = (abs(only_a - only_b) - 1) ** 2 / (only_a + only_b)
    return statistic, float(stats.chi2.sf(statistic, 1))


_ROUNDING_TOLERANCE = 1e-12  # a difference or a standard error below it is none


class WaldResult(NamedTuple):
    """Interval, statistic and p of a difference; in the order of `SignificanceResult`."""

    low: float
    high: float
    statistic: float
    p: float


def wald_test(
    difference: float,
    standard_error: float,
    distribution: Any,
    *,
    alternative: Alternative,
    confidence: float,
) -> WaldResult:
    """Judge a difference by how many standard errors it is from zero.

    Where nothing varies there is no interval: no difference is no evidence (p is 1); any other cannot be judged (NaN).

    Parameters
    ----------
    distribution
        Of the statistic where there is no difference: symmetric, of ``scipy.stats``.

    Raises
    ------
    ComparisonError
        An alternative that does not exist, or a confidence that does not lie between 0 and 1.
    """
    check_alternative(alternative)
    check_confidence(confidence)
    if standard_error < _ROUNDING_TOLERANCE:
        same = abs(difference) < _ROUNDING_TOLERANCE
        return WaldResult(math.nan, math.nan, *((0.0, 1.0) if same else (math.nan, math.nan)))
    statistic = difference / standard_error
    half = standard_error * float(distribution.ppf((1 + confidence) / 2))
    tails = {
        "less": distribution.cdf(statistic),
        "greater": distribution.sf(statistic),
        "two-sided": 2 * distribution.sf(abs(statistic)),
    }
    return WaldResult(difference - half, difference + half, statistic, float(tails[alternative]))


INDEPENDENT_T, PAIRED_T = "independent t", "paired t"


def two_sample_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare the means of two independent groups of runs, (m,) and (n,), of the same variance.

    Zhang et al. 2019, section V.G. Each run has a seed of its own; the numbers are about normally distributed. It
    judges whether the recipes differ on these test images, not whether they would on other images.

    Raises
    ------
    ComparisonError
        Fewer than two runs on a side, or a number that is not finite.
    """
    first, second = check_sample(a, min_size=2), check_sample(b, min_size=2)
    return two_sample_t_from_summaries(
        float(first.mean()),
        float(((first - first.mean()) ** 2).sum()),
        len(first),
        float(second.mean()),
        float(((second - second.mean()) ** 2).sum()),
        len(second),
        alternative=alternative,
        confidence=confidence,
    )


def two_sample_t_from_summaries(
    mean_a: float,
    sum_sq_a: float,
    n_a: int,
    mean_b: float,
    sum_sq_b: float,
    n_b: int,
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> SignificanceResult:
    """Do `two_sample_t` from means, sums of squared deviations from them, and numbers of runs.

    Zhang et al. 2019, equation 14, publish no more than these of their ten runs each: mean AUCs of 90.26 % and
    91.66 %, sums of squares of 0.0224 and 0.0064. Hence t = -78.26, which they do not give. The spread is hardly
    believable for ten independent trainings: standard deviations of 0.050 and 0.027 percentage points, when one pair
    in 2,000 of a melanoma and another image that changes its order moves that task's AUC by 0.050. And t knows
    nothing of the test images, which all runs share: on these 600 the AUC has a standard error of 1.5 to 2.1 points
    in either task (Hanley and McNeil 1982), about 1.3 in their mean.

    Examples
    --------
    >>> found = two_sample_t_from_summaries(90.26, 0.0224, 10, 91.66, 0.0064, 10, alternative="less")
    >>> round(found.difference, 2), round(found.statistic, 2), found.n
    (-1.4, -78.26, 20)
    """
    given = mean_a, sum_sq_a, mean_b, sum_sq_b
    if min(n_a, n_b) < 2 or min(sum_sq_a, sum_sq_b) < 0 or not all(map(math.isfinite, given)):
        raise ComparisonError(
            f"{n_a} and {n_b} runs with means {mean_a} and {mean_b} and sums of squares {sum_sq_a} and {sum_sq_b}: "
            "two or more runs a side, finite means and sums from 0 on are needed"
        )
    degrees = n_a + n_b - 2
    error = math.sqrt((sum_sq_a + sum_sq_b) / degrees * (1 / n_a + 1 / n_b))
    difference = mean_a - mean_b
    found = wald_test(difference, error, stats.t(degrees), alternative=alternative, confidence=confidence)
    return SignificanceResult(difference, *found, n_a + n_b, "runs", INDEPENDENT_T)


def paired_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
    *,
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare pairs of runs, (n,) each: of the same seed, fold or split.

    The differences are about normally distributed. Folds share training images, so p is somewhat too small there
    (Dietterich 1998; Nadeau and Bengio 2003).

    Raises
    ------
    ComparisonError
        Fewer than two pairs, unequal numbers, or a number that is not finite.
    """
    differences = paired_differences(a, b, min_size=2)
    n, difference = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    found = wald_test(difference, error, stats.t(n - 1), alternative=alternative, confidence=confidence)
    return SignificanceResult(difference, *found, n, "runs", PAIRED_T)
