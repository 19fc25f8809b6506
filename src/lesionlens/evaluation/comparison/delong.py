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
    """An area under the ROC curve, and its variance over samples of images."""

    auc: float
    variance: float


class _Placements(NamedTuple):
    """Share of the negatives below each positive image, (m,), and of the positives above each negative one, (n,)."""

    positives: FloatArray
    negatives: FloatArray


def auc_variance(labels: NDArray[Any], scores: NDArray[Any]) -> AUCWithVariance:
    """Give the AUC and DeLong's variance of it; labels, (n,), are true where the image is of the class.

    Raises
    ------
    ComparisonError
        Fewer than two images of either kind, or arrays that do not fit each other.
    """
    found = _compute_placements(*_check_labels_and_scores(labels, scores))
    return AUCWithVariance(float(found.positives.mean()), _delong_variance(found))


def delong(
    labels: NDArray[Any],
    scores_a: NDArray[Any],
    scores_b: NDArray[Any],
    *,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> SignificanceResult:
    """Compare the AUCs of two models on the same images.

    DeLong et al. 1988, with the mid-ranks of Sun and Xu 2014: O(n log n). Images count as independent: where a lesion
    has several, p is too small and the interval too narrow, and the bootstrap over lesions is to be taken. Models of
    equal scores, or scores that order the images alike, have p = 1; where a difference has no variance (one model
    separates perfectly, the other gives one score to all) interval, z and p are NaN.

    Parameters
    ----------
    labels
        True where an image is of the class, (n,).
    scores_a, scores_b
        Of the class, (n,).

    Raises
    ------
    ComparisonError
        Fewer than two images of either kind, or arrays that do not fit each other.
    """
    a, b = (
        _compute_placements(*_check_labels_and_scores(labels, scores_a)),
        _compute_placements(*_check_labels_and_scores(labels, scores_b)),
    )
    less = _Placements(a.positives - b.positives, a.negatives - b.negatives)
    difference = float(a.positives.mean() - b.positives.mean())
    error = math.sqrt(_delong_variance(less))
    found = wald_test(difference, error, stats.norm, alternative=alternative, confidence=confidence)
    return SignificanceResult(difference, *found, len(labels), "images", DELONG)


def _check_labels_and_scores(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[BoolArray, FloatArray]:
    positive, found = check_boolean(labels), np.asarray(scores, dtype=np.float64)
    if positive.shape != found.shape or not np.isfinite(found).all():
        raise ComparisonError(
            f"labels of {positive.shape} and scores of {found.shape}: give one label and one finite score an image"
        )
    own = int(positive.sum())
    if min(own, len(positive) - own) < 2:
        raise ComparisonError(
            f"{own} images of the class and {len(positive) - own} others: DeLong's test needs two or more of each"
        )
    return positive, found


def _compute_placements(positive: BoolArray, scores: FloatArray) -> _Placements:
    """Read both shares from mid-ranks among all images and among their own kind (Sun and Xu 2014, theorem 2)."""
    own, other = scores[positive], scores[~positive]
    ranks = stats.rankdata(scores)
    return _Placements(
        (ranks[positive] - stats.rankdata(own)) / len(other),
        1 - (ranks[~positive] - stats.rankdata(other)) / len(own),
    )


def _delong_variance(placements: _Placements) -> float:
    return float(sum(each.var(ddof=1) / len(each) for each in placements))
