"""Student's t-tests over runs: of two independent groups, and of pairs."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import (
    Alternative,
    Comparison,
    check_alternative,
    nothing_to_test,
    paired,
    sample,
)

INDEPENDENT, PAIRED = "independent t", "paired t"
_ROUNDING = 1e-12  # a standard error below it is none


def two_sample_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> Comparison:
    """Compare the means of two independent groups of runs, (m,) and (n,), of the same variance.

    Zhang et al. 2019, section V.G. Each run has a seed of its own; the numbers are about normally distributed. It
    judges whether the recipes differ on these test images, not whether they would on other images.

    Raises
    ------
    ComparisonError
        Fewer than two runs on a side, or a number that is not finite.
    """
    first, second = sample(a, fewest=2), sample(b, fewest=2)
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
    squares_a: float,
    n_a: int,
    mean_b: float,
    squares_b: float,
    n_b: int,
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> Comparison:
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
    check_alternative(alternative)
    if min(n_a, n_b) < 2 or min(squares_a, squares_b) < 0:
        raise ComparisonError(
            f"{n_a} and {n_b} runs with sums of squares {squares_a} and {squares_b}: two or more runs a side and sums "
            "from 0 on are needed"
        )
    degrees = n_a + n_b - 2
    error = math.sqrt((squares_a + squares_b) / degrees * (1 / n_a + 1 / n_b))
    return _student(mean_a - mean_b, error, degrees, n_a + n_b, alternative, confidence, INDEPENDENT)


def paired_t(
    a: Sequence[float] | NDArray[np.floating],
    b: Sequence[float] | NDArray[np.floating],
    alternative: Alternative = "two-sided",
    *,
    confidence: float = 0.95,
) -> Comparison:
    """Compare pairs of runs, (n,) each: of the same seed, fold or split.

    The differences are about normally distributed. Folds share training images, so p is somewhat too small there
    (Dietterich 1998; Nadeau and Bengio 2003).

    Raises
    ------
    ComparisonError
        Fewer than two pairs, unequal numbers, or a number that is not finite.
    """
    check_alternative(alternative)
    differences = paired(a, b, fewest=2)
    n = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    return _student(float(differences.mean()), error, n - 1, n, alternative, confidence, PAIRED)


def _student(
    difference: float,
    error: float,
    degrees: int,
    n: int,
    alternative: Alternative,
    confidence: float,
    test: str,
) -> Comparison:
    if error < _ROUNDING:
        return Comparison(difference, math.nan, math.nan, *nothing_to_test(difference), n, "runs", test)
    t = difference / error
    half = error * float(stats.t.ppf((1 + confidence) / 2, degrees))
    tails = {
        "less": stats.t.cdf(t, degrees),
        "greater": stats.t.sf(t, degrees),
        "two-sided": 2 * stats.t.sf(abs(t), degrees),
    }
    return Comparison(
        difference, difference - half, difference + half, t, float(tails[alternative]), n, "runs", test
    )
