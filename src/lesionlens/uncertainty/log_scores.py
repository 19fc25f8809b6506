"""Scores as logits: calibration works from probabilities, so that the prediction file of any model can be calibrated.

The logarithm of softmax probabilities equals the logits up to a constant per image, and the softmax ignores it.
"""

import numpy as np
from scipy.special import expit, logit, softmax

from lesionlens.core.types import FloatArray

_SMALLEST = 1e-12  # in place of a probability of 0, whose logarithm is infinite


def to_log_scores(scores: FloatArray, *, independent: bool) -> FloatArray:
    """Return log(p), or log(p / (1 − p)) of independent scores, (…, k); 0 and 1 are replaced by 1e-12 from them."""
    clipped = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(logit(clipped) if independent else np.log(clipped))


def to_probabilities(log_scores: FloatArray, *, independent: bool) -> FloatArray:
    """Return the softmax over the last axis, or the sigmoid of independent scores, (…, k)."""
    return np.asarray(expit(log_scores) if independent else softmax(log_scores, axis=-1))
