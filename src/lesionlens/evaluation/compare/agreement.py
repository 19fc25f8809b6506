"""McNemar's test of two models' right and wrong decisions."""

import math
from typing import Any

from numpy.typing import NDArray
from scipy import stats

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import SignificanceResult, check_confidence, check_boolean

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
    return SignificanceResult(difference, difference - half, difference + half, statistic, p, n, "images", test)


def _exact_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Twice the smaller tail; without a discordant image p is 1."""
    tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    return float(only_a), min(1.0, 2 * float(tail))


def _corrected_mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    if only_a == only_b:
        return 0.0, 1.0
    statistic = (abs(only_a - only_b) - 1) ** 2 / (only_a + only_b)
    return statistic, float(stats.chi2.sf(statistic, 1))
