"""Temperature and vector scaling: functions from log scores to calibrated scores, fitted on labeled images.

Guo et al. 2017, sections 4.2 (vector scaling, equation 8) and 4.2 (temperature scaling, equation 9).
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.types import FloatArray, StrArray

ScalingMethod = Literal["temperature", "vector"]
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
_MAX_STEPS = 40
_RELATIVE_TOLERANCE = 1e-7  # of a Newton step; the next one would be about its square
_RIDGE = 1e-3  # keeps vector scaling finite for a class whose images are perfectly separated


class Scaling(NamedTuple):
    """Calibrated scores are the softmax (or sigmoid) of ``scale · log score + bias``, with one pair per class.

    Attributes
    ----------
    scale, bias
        Factor and offset of each class, (k,); for temperature scaling 1 / T and 0.
    """

    scale: tuple[float, ...]
    bias: tuple[float, ...]

    def apply(self, log_scores: FloatArray) -> FloatArray:
        """Return scaled log scores, (…, k)."""
        return np.asarray(log_scores * np.array(self.scale) + np.array(self.bias))


def fit_temperature(
    log_scores: FloatArray,
    targets: FloatArray,
    weights: FloatArray | None = None,
    *,
    independent: bool,
) -> FloatArray:
    """Return the temperature T that minimizes the log loss, for each row of weights, (…,).

    The log loss is convex in 1 / T. Newton steps that leave the bracket are replaced by a bisection. T is limited to
    0.05–20: it tends to 0 if every image is classified correctly, and to infinity if scores say nothing.

    Parameters
    ----------
    log_scores
        Logarithms of the scores (logits of independent scores), (n, k).
    targets
        1 for the class of each image, else 0, (n, k).
    weights
        Number of times that each image counts, (…, n); default: once each.
    independent
        Whether the scores are independent: sigmoid in place of softmax.
    """
    weight = np.ones(len(log_scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    rows = weight.reshape(-1, len(log_scores))
    low = np.full(len(rows), 1 / MAX_TEMPERATURE)
    high = np.full(len(rows), 1 / MIN_TEMPERATURE)
    at_low, _ = _derivatives(log_scores, targets, rows, low, independent=independent)
    at_high, _ = _derivatives(log_scores, targets, rows, high, independent=independent)
    limits = np.where(at_high <= 0, high, np.where(at_low >= 0, low, np.nan))
    beta = np.ones(len(rows))
    for _ in range(_MAX_STEPS):
        slope, curvature = _derivatives(log_scores, targets, rows, beta, independent=independent)
        low, high = np.where(slope < 0, beta, low), np.where(slope > 0, beta, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = beta - slope / curvature
        inside = (step > low) & (step < high)
        updated = np.where(slope == 0, beta, np.where(inside, step, np.sqrt(low * high)))
        if np.all(np.abs(updated - beta) <= _RELATIVE_TOLERANCE * beta):
            break
        beta = updated
    return np.asarray(1 / np.where(np.isnan(limits), beta, limits)).reshape(weight.shape[:-1])


def _derivatives(
    log_scores: FloatArray, targets: FloatArray, rows: FloatArray, beta: FloatArray, *, independent: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the first and second derivative of the weighted log loss with respect to 1 / T, each (r,)."""
    scaled = beta[:, None, None] * log_scores
    if independent:
        p = expit(scaled)
        slope = ((p - targets) * log_scores).sum(axis=-1)
        curvature = (p * (1 - p) * log_scores**2).sum(axis=-1)
    else:
        p = softmax(scaled, axis=-1)
        mean = (p * log_scores).sum(axis=-1)
        slope = mean - (targets * log_scores).sum(axis=-1)
        curvature = (p * log_scores**2).sum(axis=-1) - mean**2
    return (rows * slope).sum(axis=-1), (rows * curvature).sum(axis=-1)


def bootstrap_temperatures(
    log_scores: FloatArray,
    targets: FloatArray,
    lesion_id: StrArray,
    *,
    independent: bool,
    n_resamples: int,
    seed: int,
) -> FloatArray:
    """Return the temperature of each bootstrap resample of the lesions, (r,)."""
    k = log_scores.shape[1]
    chunks = cluster_bootstrap_weights(
        lesion_id, n_resamples=n_resamples, seed=seed, chunk_size=1_000_000 // k
    )
    return np.concatenate(
        [fit_temperature(log_scores, targets, weights, independent=independent) for weights in chunks]
    )


def fit_vector_scaling(log_scores: FloatArray, targets: FloatArray, *, independent: bool) -> Scaling:
    """Return the factor and the offset of each class that minimize the log loss.

    A weak ridge penalty toward factors of 1 and offsets of 0 keeps the solution finite and unique. Parameters are those
    of ``fit_temperature``.
    """
    k = log_scores.shape[1]

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        scale, bias = parameters[:k], parameters[k:]
        scaled = log_scores * scale + bias
        error = (expit(scaled) if independent else softmax(scaled, axis=-1)) - targets
        penalty = np.concatenate([scale - 1, bias])
        loss = _log_loss(scaled, targets, independent=independent) + _RIDGE / 2 * (penalty @ penalty)
        gradient = np.concatenate([(error * log_scores).mean(axis=0), error.mean(axis=0)])
        return loss, gradient + _RIDGE * penalty

    start = np.concatenate([np.ones(k), np.zeros(k)])
    solution = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    return Scaling(tuple(map(float, solution[:k])), tuple(map(float, solution[k:])))


def _log_loss(scaled: FloatArray, targets: FloatArray, *, independent: bool) -> float:
    if independent:
        loss = -(targets * log_expit(scaled) + (1 - targets) * log_expit(-scaled))
    else:
        loss = -targets * log_softmax(scaled, axis=-1)
    return float(loss.sum(axis=-1).mean())
