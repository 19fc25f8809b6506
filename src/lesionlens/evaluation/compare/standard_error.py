"""A difference judged by its standard error: z and t tests."""

import math
from typing import Any, NamedTuple

from lesionlens.evaluation.compare.comparison import Alternative, check_alternative, check_confidence

_ROUNDING_TOLERANCE = 1e-12  # a difference or a standard error below it is none


class WaldResult(NamedTuple):
    """Interval, statistic and p of a difference; in the order of `Comparison`."""

    low: float
    high: float
    statistic: float
    p: float


def wald_test(
    difference: float, standard_error: float, distribution: Any, *, alternative: Alternative, confidence: float
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
