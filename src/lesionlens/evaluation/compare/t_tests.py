"""Student's t-tests over runs: of two independent groups, and of pairs."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import Alternative, SignificanceResult, paired_differences, check_sample
from lesionlens.evaluation.compare.standard_error import wald_test

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
