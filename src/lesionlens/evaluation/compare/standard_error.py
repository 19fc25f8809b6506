"""A difference judged by its standard error: z and t tests."""

import math
from typing import Any, NamedTuple

from lesionlens.evaluation.compare.comparison import Alternative, check_alternative, check_confidence

_ROUNDING = 1e-12  # a difference or a standard error below it is none


class Judged(NamedTuple):
    """Interval, statistic and p of a difference; in the order of `Comparison`."""

    low: float
    high: float
    statistic: float
    p: float


def judged(
    difference: float, error: float, distribution: Any, *, alternative: Alternative, confidence: float
) -> Judged:
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
    if error < _ROUNDING:
        same = abs(difference) < _ROUNDING
        return Judged(math.nan, math.nan, *((0.0, 1.0) if same else (math.nan, math.nan)))
    statistic = difference / error
    half = error * float(distribution.ppf((1 + confidence) / 2))
    tails = {
        "less": distribution.cdf(statistic),
        "greater": distribution.sf(statistic),
        "two-sided": 2 * distribution.sf(abs(statistic)),
    }
    return Judged(difference - half, difference + half, statistic, float(tails[alternative]))
