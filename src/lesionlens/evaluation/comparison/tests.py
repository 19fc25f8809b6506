"""Significance tests of a difference: over runs (t, Wilcoxon, sign flip) and over images (McNemar, Wald).

The tests themselves are those of scipy. This module adds what scipy leaves to the caller: checks of the input,
two-sided intervals under every alternative, and a defined result if nothing varies.
"""

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

PAIRED_T, INDEPENDENT_T = "paired t", "independent t"
WILCOXON, SIGN_FLIP = "Wilcoxon", "sign flip"
MCNEMAR, MCNEMAR_CORRECTED = "McNemar", "McNemar, corrected"

MAX_EXACT_PAIRS = 14  # pairs up to which all 2^n signs are enumerated
_N_RANDOM_SIGNS: int = 2**MAX_EXACT_PAIRS - 1
_DECIMALS = 12  # sums of metric values that differ by less are ties
NO_VARIATION = "the difference does not vary"
NO_DIFFERENCE = "all differences are zero"
_ROUNDING_TOLERANCE = 10.0**-_DECIMALS  # smaller differences and standard errors are rounding errors


class WaldResult(NamedTuple):
    """Interval, statistic and p-value of a difference, in the order of `SignificanceResult`; NaN if nothing varies."""

    low: float = math.nan
    high: float = math.nan
    statistic: float = math.nan
    p: float = math.nan

    @property
    def reason(self) -> str:
        """Why nothing is defined; "" if it is."""
        return NO_VARIATION if math.isnan(self.p) else ""


def paired_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
    *,
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare the means of paired runs, (n,) each, that have the same seed, fold or split.

    Assumes that the differences are approximately normal. Folds have training images in common, so their
    p-value is somewhat too small (Dietterich 1998; Nadeau and Bengio 2003).

    Raises
    ------
    ComparisonError
        There are fewer than two pairs, the numbers of runs differ, or a value is not finite.
    """
    _check_options(alternative, confidence)
    differences = paired_differences(a, b, min_size=2)
    n, difference = len(differences), float(differences.mean())
    result = WaldResult()
    if _varies(float(differences.std(ddof=1)) / math.sqrt(n)):
        # what ttest_rel computes, of the rounded differences
        test = stats.ttest_1samp(differences, 0.0, alternative=alternative)
        interval = stats.ttest_1samp(differences, 0.0).confidence_interval(confidence)
        result = WaldResult(*map(float, (interval.low, interval.high, test.statistic, test.pvalue)))
    return SignificanceResult(difference, *result, n, "runs", PAIRED_T, result.reason)


def two_sample_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare the means of two independent groups of runs, (m,) and (n,), of equal variance.

    Zhang et al. 2019, section V.G. Assumes that every run has its own seed and that the values are approximately
    normal. The test tells whether the recipes differ on these test images, not whether they would on other images.

    Raises
    ------
    ComparisonError
        A group has fewer than two runs, or a value is not finite.
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
    """Compute `two_sample_t` from means, sums of squared deviations from them, and numbers of runs.

    Zhang et al. 2019, equation 14, publish only these of their ten runs each: mean AUCs of 90.26 % and 91.66 %, sums of
    squares of 0.0224 and 0.0064. From them follows t = -78.26, which the paper does not report. The spread is hard to
    believe for ten independent trainings: the standard deviations are 0.050 and 0.027 percentage points, although one
    pair in 2,000 of a melanoma and another image that changes its order changes the AUC of that task by 0.050. The test
    also ignores the sampling of test images, which all runs have in common: on these 600 images the AUC has a standard
    error of 1.5 to 2.1 points in either task (Hanley and McNeil 1982), about 1.3 in their mean.

    Examples
    --------
    >>> result = two_sample_t_from_summaries(90.26, 0.0224, 10, 91.66, 0.0064, 10, alternative="less")
    >>> round(result.difference, 2), round(result.statistic, 2), result.n
    (-1.4, -78.26, 20)
    """
    _check_options(alternative, confidence)
    summaries = mean_a, sum_sq_a, mean_b, sum_sq_b
    if min(n_a, n_b) < 2 or min(sum_sq_a, sum_sq_b) < 0 or not all(map(math.isfinite, summaries)):
        raise ComparisonError(
            f"{n_a} and {n_b} runs with means {mean_a} and {mean_b} and sums of squares {sum_sq_a} and {sum_sq_b}: "
            "two or more runs per group, finite means and non-negative sums of squares are required"
        )
    degrees, difference = n_a + n_b - 2, mean_a - mean_b
    error = math.sqrt((sum_sq_a + sum_sq_b) / degrees * (1 / n_a + 1 / n_b))
    result = WaldResult()
    if _varies(error):
        std_a, std_b = math.sqrt(sum_sq_a / (n_a - 1)), math.sqrt(sum_sq_b / (n_b - 1))
        test = stats.ttest_ind_from_stats(mean_a, std_a, n_a, mean_b, std_b, n_b, alternative=alternative)
        half = error * float(stats.t.ppf((1 + confidence) / 2, degrees))
        result = WaldResult(difference - half, difference + half, float(test.statistic), float(test.pvalue))
    return SignificanceResult(difference, *result, n_a + n_b, "runs", INDEPENDENT_T, result.reason)


def wilcoxon(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
) -> SignificanceResult:
    """Compare paired runs, (n,) each, by the signed ranks of their differences (Wilcoxon 1945).

    Pairs with a difference of zero are excluded from the ranks; if all are zero, p is NaN. Five pairs cannot reach a
    p-value below 0.06 (two-sided), whatever their values. The reported difference is the median of the differences, for
    which this test has no interval. Assumes that the differences are symmetric, but not that they are normal.

    Raises
    ------
    ComparisonError
        There is no pair, the numbers of runs differ, or a value is not finite.
    """
    check_alternative(alternative)
    differences = paired_differences(a, b, min_size=1)
    statistic, p, reason = math.nan, math.nan, NO_DIFFERENCE
    if differences.any():
        reason = ""
        test = stats.wilcoxon(differences[differences != 0], alternative=alternative)
        statistic, p = float(test.statistic), float(test.pvalue)
    median = float(np.median(differences))
    return SignificanceResult(
        median, math.nan, math.nan, statistic, p, len(differences), "runs", WILCOXON, reason
    )


def sign_flip_permutation_test(
    differences: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
    seed: int = 0,
) -> SignificanceResult:
    """Test the mean difference of paired runs, (n,), by flipping signs (Fisher 1935, section 21).

    For up to 14 pairs all 2^n signs are enumerated, so p is exact and at least 2 / 2^n (two-sided). For more pairs,
    16,383 signs are sampled and the observed ones are counted as one more (Phipson and Smyth 2010). The statistic is
    the mean; there is no interval. p is NaN for one pair, and if all differences are zero.

    Raises
    ------
    ComparisonError
        There is no difference, or one is not finite.
    """
    check_alternative(alternative)
    sample = check_sample(differences, min_size=1)
    n, mean = len(sample), float(sample.mean())
    p, reason = math.nan, "only one pair" if n == 1 else ""
    if not np.round(sample, _DECIMALS).any():
        reason = NO_DIFFERENCE
    elif n > MAX_EXACT_PAIRS:
        p = _sampled_sign_flip_p_value(sample, alternative, seed)
    elif n > 1:
        p = _exact_sign_flip_p_value(sample, alternative)
    return SignificanceResult(mean, math.nan, math.nan, mean, p, n, "runs", SIGN_FLIP, reason)


def _exact_sign_flip_p_value(sample: FloatArray, alternative: Alternative) -> float:
    test = stats.permutation_test(
        (sample,),
        # rounded: scipy compares sums of different order, and ties must count as ties
        lambda values, axis: np.round(values.mean(axis=axis), _DECIMALS),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative=alternative,
    )
    return float(test.pvalue)


def _sampled_sign_flip_p_value(sample: FloatArray, alternative: Alternative, seed: int) -> float:
    """Return the p-value over random signs.

    Not by scipy's permutation_test, which samples other signs for the same seed: recorded p-values would change.
    """
    signs = np.random.default_rng(seed).choice([1.0, -1.0], size=(_N_RANDOM_SIGNS, len(sample)))
    extreme = count_as_extreme(signs @ sample / len(sample), float(sample.mean()), alternative)
    return (extreme + 1) / (_N_RANDOM_SIGNS + 1)


def mcnemar(
    correct_a: NDArray[Any], correct_b: NDArray[Any], *, exact: bool = True, confidence: float = 0.95
) -> SignificanceResult:
    """Compare the accuracies of two models on the same images, (n,) (McNemar 1947).

    Only discordant images matter, which one model predicts correctly and the other does not: without one, p and
    interval are NaN. Images count as independent: if a lesion has several, p is too small.

    Parameters
    ----------
    correct_a, correct_b
        Whether each model's prediction of each image is correct, (n,).
    exact
        Whether to use the binomial distribution, with the number of images that only the first model predicts
        correctly as the statistic. Otherwise χ² with one degree of freedom and Edwards's continuity correction, for
        many images.
    confidence
        Confidence level of Wald's interval of the difference of paired proportions.

    Raises
    ------
    ComparisonError
        There is no image, lengths differ, or a value is not true or false.
    """
    check_confidence(confidence)
    a, b = check_boolean(correct_a), check_boolean(correct_b)
    if a.shape != b.shape or not len(a):
        raise ComparisonError(
            f"arrays of shapes {a.shape} and {b.shape}: both must have one value for each of the same images"
        )
    n, only_a, only_b = len(a), int((a & ~b).sum()), int((~a & b).sum())
    difference = (only_a - only_b) / n
    error = math.sqrt(only_a + only_b - (only_a - only_b) ** 2 / n) / n
    half = error * float(stats.norm.ppf((1 + confidence) / 2)) if _varies(error) else math.nan
    test = MCNEMAR if exact else MCNEMAR_CORRECTED
    statistic, p, reason = math.nan, math.nan, "no image is correct in one model only"
    if only_a + only_b:
        statistic, p = _exact_mcnemar(only_a, only_b) if exact else _corrected_mcnemar(only_a, only_b)
        reason = "" if _varies(error) else NO_VARIATION
    return SignificanceResult(
        difference, difference - half, difference + half, statistic, p, n, "images", test, reason
    )


def _exact_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    return float(only_a), float(stats.binomtest(only_a, only_a + only_b).pvalue)


def _corrected_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    if only_a == only_b:
        return 0.0, 1.0
    statistic = (abs(only_a - only_b) - 1) ** 2 / (only_a + only_b)
    return statistic, float(stats.chi2.sf(statistic, 1))


def wald_test(
    difference: float,
    standard_error: float,
    *,
    alternative: Alternative,
    confidence: float,
) -> WaldResult:
    """Test a difference by its number of standard errors from zero, with the normal distribution.

    Without variation everything is NaN.

    Raises
    ------
    ComparisonError
        The alternative does not exist, or the confidence is not between 0 and 1.
    """
    _check_options(alternative, confidence)
    if not _varies(standard_error):
        return WaldResult()
    statistic = difference / standard_error
    half = standard_error * float(stats.norm.ppf((1 + confidence) / 2))
    tails = {
        "less": stats.norm.cdf(statistic),
        "greater": stats.norm.sf(statistic),
        "two-sided": 2 * stats.norm.sf(abs(statistic)),
    }
    return WaldResult(difference - half, difference + half, statistic, float(tails[alternative]))


def _varies(standard_error: float) -> bool:
    return standard_error >= _ROUNDING_TOLERANCE


def _check_options(alternative: Alternative, confidence: float) -> None:
    check_alternative(alternative)
    check_confidence(confidence)
