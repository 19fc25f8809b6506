"""True and false positives at every threshold of a score, for many weightings of the images at once."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class ThresholdSweep(NamedTuple):
    """What is found as the threshold falls through the different scores.

    Attributes
    ----------
    thresholds
        The different scores, falling, (t,); positive are the images at or above.
    true_positives
        Weight of the positive images found, (…, t); the last is the weight of all positives.
    false_positives
        Weight of the negative images found, (…, t).
    """

    thresholds: FloatArray
    true_positives: FloatArray
    false_positives: FloatArray


def threshold_sweep(positive: BoolArray, scores: FloatArray, weights: NDArray[Any] | None = None) -> ThresholdSweep:
    """Count true and false positives at each different score; equal scores are found together.

    Parameters
    ----------
    positive
        Truth, (n,).
    scores
        Model score, (n,).
    weights
        How often each image counts, (…, n): one row for each bootstrap replicate; None counts each once.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    counted = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)[..., order]
    # where no two scores are equal, taking every place would only copy
    take = slice(None) if len(last) == len(ranked) else last
    true = np.cumsum(counted * positive[order], axis=-1)[..., take]
    false = np.cumsum(counted * ~positive[order], axis=-1)[..., take]
    return ThresholdSweep(ranked[last], true, false)
