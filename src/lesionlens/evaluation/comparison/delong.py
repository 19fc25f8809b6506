"""DeLong's test of two correlated areas under the ROC curve."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.comparison.result import Alternative, SignificanceResult, check_boolean
from lesionlens.evaluation.comparison.tests import wald_test

DELONG = "DeLong"


class AUCWithVariance(NamedTuple):
    """Area under the ROC curve, and its variance over samples of images."""

    auc: float
    variance: float


class _Placements(NamedTuple):
    """Fraction of the negatives below each positive image, (m,), and of the positives above each negative one, (n,)."""

    positives: FloatArray
    negatives: FloatArray


def auc_variance(labels: NDArray[Any], scores: NDArray[Any]) -> AUCWithVariance:
    """Return the AUC and its variance by DeLong et al. 1988.

    Parameters
    ----------
    labels
        Whether each image is of the class, (n,).
    scores
        Score of the class for each image, (n,).

    Raises
    ------
    ComparisonError
        There are fewer than two positive or negative images, or the arrays do not match.
    """
    placements = _compute_placements(*_check_labels_and_scores(labels, scores))
    return AUCWithVariance(float(placements.positives.mean()), _delong_variance(placements))


def delong(
    labels: NDArray[Any],
    scores_a: NDArray[Any],
    scores_b: NDArray[Any],
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare the AUCs of two models on the same images.

    DeLong et al. 1988, with the mid-ranks of Sun and Xu 2014: O(n log n). Images count as independent: if a lesion has
    several, p is too small and the interval too narrow; use the bootstrap over lesions then. If the difference has no
    variance (both models rank the images equally, or one separates perfectly and the other gives all images the same
    score), interval, z and p are NaN.

    Parameters
    ----------
    labels
        Whether each image is of the class, (n,).
    scores_a, scores_b
        Score of the class for each image by each model, (n,).
    alternative
        Alternative hypothesis: the AUC of the first model is different, less or greater.
    confidence
        Confidence level of the interval, between 0 and 1.

    Raises
    ------
    ComparisonError
        There are fewer than two positive or negative images, or the arrays do not match.
    """
    a, b = (_compute_placements(*_check_labels_and_scores(labels, scores)) for scores in (scores_a, scores_b))
    differences = _Placements(a.positives - b.positives, a.negatives - b.negatives)
    difference = float(a.positives.mean() - b.positives.mean())
    error = math.sqrt(_delong_variance(differences))
    result = wald_test(difference, error, alternative=alternative, confidence=confidence)
    return SignificanceResult(difference, *result, len(labels), "images", DELONG, result.reason)


def _check_labels_and_scores(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[BoolArray, FloatArray]:
    positive, values = check_boolean(labels), np.asarray(scores, dtype=np.float64)
    if positive.shape != values.shape or not np.isfinite(values).all():
        raise ComparisonError(
            f"labels of shape {positive.shape} and scores of shape {values.shape}: one label and one finite score per "
            "image are required"
        )
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if min(n_positive, n_negative) < 2:
        raise ComparisonError(
            f"{n_positive} positive and {n_negative} negative images: DeLong's test needs two or more of each"
        )
    return positive, values


def _compute_placements(positive: BoolArray, scores: FloatArray) -> _Placements:
    """Compute both fractions from mid-ranks among all images and within each class (Sun and Xu 2014, theorem 2)."""
    positives, negatives = scores[positive], scores[~positive]
    ranks = stats.rankdata(scores)
    return _Placements(
        (ranks[positive] - stats.rankdata(positives)) / len(negatives),
        1 - (ranks[~positive] - stats.rankdata(negatives)) / len(positives),
    )


def _delong_variance(placements: _Placements) -> float:
    return float(sum(values.var(ddof=1) / len(values) for values in placements))
