"""Holm's correction for several tests at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.sweep import FloatArray


def holm(p_values: Sequence[float] | NDArray[np.floating]) -> FloatArray:
    """Adjust p-values, (m,), so that comparing each with α keeps the chance of any false finding below α.

    Holm 1979: the smallest times m, the next times m - 1 and so on, never below the one before, never above 1. It
    holds however the tests depend on each other. What is NaN was not tested: it stays NaN and does not count.

    Raises
    ------
    ComparisonError
        A number that is no probability.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    found = np.asarray(p_values, dtype=np.float64)
    if ((found < 0) | (found > 1)).any():
        raise ComparisonError(f"p-values are {found.tolist()}; allowed are numbers from 0 to 1")
    tested = np.flatnonzero(~np.isnan(found))
    order = tested[np.argsort(found[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(found), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * found[order]))
    return adjusted
