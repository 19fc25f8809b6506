"""How well the scores of a detector separate known from unknown images: AUROC and FPR95, with intervals."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesionlens.core.bootstrap import Interval, cluster_bootstrap_weights, percentile_interval
from lesionlens.core.errors import DataError
from lesionlens.core.types import FloatArray

DETECTED_FRACTION = 0.95  # of the unknown images, at which false alarms are counted


class Separation(NamedTuple):
    """Separation of unknown from known images by a score.

    Attributes
    ----------
    auroc
        Probability that an unknown image has a larger score than a known one; ties count half.
    auroc_interval
        Its 95 % interval over lesions of the known and images of the unknown.
    false_positive_rate
        Fraction of the known images whose score is at least that which 95 % of the unknown images reach (FPR95).
    false_positive_interval
        Its 95 % interval.
    """

    auroc: float
    auroc_interval: Interval
    false_positive_rate: float
    false_positive_interval: Interval


def evaluate_separation(
    known: ArrayLike, unknown: ArrayLike, known_lesions: ArrayLike, *, n_resamples: int = 1000, seed: int = 0
) -> Separation:
    """Compare the scores of known images, (n,), with those of unknown images, (m,).

    Parameters
    ----------
    known, unknown
        Scores of a detector; the known images must not have calibrated it.
    known_lesions
        Lesion of each known image, (n,): all images of a lesion are resampled together.
    n_resamples, seed
        Number of bootstrap resamples (0: no intervals), and their random seed.

    Raises
    ------
    DataError
        A group is empty, a score is not a finite number, or the number of lesions is not that of the known images.
    """
    first, second = (np.asarray(scores, np.float64) for scores in (known, unknown))
    lesions = np.asarray(known_lesions)
    if not (first.size and second.size and np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError(
            f"{first.size} known and {second.size} unknown images: both are needed, with scores that are finite numbers"
        )
    if lesions.shape != first.shape:
        raise DataError(
            f"{first.size} known images and {lesions.size} lesions: pass the lesion of each image"
        )
    ones = np.ones((1, first.size)), np.ones((1, second.size))
    resampled = zip(
        _resamples(lesions, n_resamples, seed),
        _resamples(np.arange(second.size), n_resamples, seed + 1),
        strict=True,
    )
    values = np.array([_separation(first, second, *weights) for weights in resampled]).reshape(-1, 2)
    auroc, rate = _separation(first, second, *(one[0] for one in ones))
    return Separation(auroc, percentile_interval(values[:, 0]), rate, percentile_interval(values[:, 1]))


def _resamples(members: NDArray[Any], n_resamples: int, seed: int) -> list[FloatArray]:
    """Return the weights of the images in each resample."""
    chunks = cluster_bootstrap_weights(members, n_resamples=n_resamples, seed=seed)
    return [row for chunk in chunks for row in chunk]


def _separation(
    known: FloatArray, unknown: FloatArray, known_weights: FloatArray, unknown_weights: FloatArray
) -> tuple[float, float]:
    """Return AUROC and FPR95 of weighted images."""
    order = np.argsort(known)
    cumulative = np.concatenate([[0.0], np.cumsum(known_weights[order])])
    below, up_to = (
        cumulative[np.searchsorted(known[order], unknown, side=side)] for side in ("left", "right")
    )
    total = cumulative[-1]
    auroc = float((below + up_to) @ unknown_weights / (2 * total * unknown_weights.sum()))
    descending = np.argsort(-unknown)
    reached = np.cumsum(unknown_weights[descending]) >= DETECTED_FRACTION * unknown_weights.sum() - 1e-9
    threshold_index = descending[int(np.argmax(reached))]
    return auroc, float(1 - below[threshold_index] / total)
