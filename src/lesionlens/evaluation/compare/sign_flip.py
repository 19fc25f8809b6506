"""The permutation test of pairs: without a difference, each pair could as well be the other way round."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation.compare.comparison import (
    Alternative,
    SignificanceResult,
    check_alternative,
    check_sample,
    count_as_extreme,
)
from lesionlens.evaluation.sweep import FloatArray

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
