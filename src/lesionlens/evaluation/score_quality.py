"""Quality of scores as probabilities: calibration error, Brier score, log loss, and confidence as a guide to errors.

All functions are vectorized over bootstrap weights of the images, (…, n), where None counts each image once, and return
NaN where they are undefined.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.score_bins import BinnedEvents

SMALLEST_SCORE = 1e-12  # in place of 0 in the log loss, which would be infinite

Weights = NDArray[Any] | None


@dataclass(frozen=True)
class ScoredImages:
    """What the quality of scores is computed from; what does not depend on weights is computed once.

    Attributes
    ----------
    scores
        Score of each class, (n, k).
    positive
        Whether each image is of each class, (n, k).
    targets
        Columns of the classes that the model scores: without a derived score of the other class.
    sets
        Whether each class is in the prediction set of each image, (n, k).
    """

    scores: FloatArray
    positive: BoolArray
    targets: list[int]
    sets: BoolArray | None = None

    @property
    def is_independent(self) -> bool:
        """Whether the scores are independent sigmoids."""
        return len(self.targets) < int(self.scores.shape[1])

    @cached_property
    def confidence(self) -> FloatArray:
        """Largest score of each image, (n,)."""
        return np.asarray(self.scores.max(axis=1))

    @cached_property
    def correct(self) -> BoolArray:
        """Whether the class of the largest score is that of the image, (n,)."""
        return np.asarray(self.positive[np.arange(len(self.scores)), self.scores.argmax(axis=1)])

    @cached_property
    def largest_score_bins(self) -> BinnedEvents:
        """One event: the class of the largest score is correct."""
        return BinnedEvents(self.confidence[:, None], self.correct[:, None])

    @cached_property
    def class_bins(self) -> BinnedEvents:
        """One event for each class: the image is of the class."""
        return BinnedEvents(self.scores, self.positive)

    @cached_property
    def confidence_order(self) -> NDArray[np.intp]:
        """Images by descending largest score, (n,)."""
        return np.argsort(-self.confidence, kind="stable")


def expected_calibration_error(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the debiased expected calibration error of the largest score, (…,).

    Images are divided into 15 bins of equal size by their largest score (Naeini et al. 2015; equal mass: Nguyen and
    O'Connor 2015); see `BinnedEvents.calibration_error`.
    """
    return images.largest_score_bins.calibration_error(weights)[..., 0]


def classwise_calibration_error(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean over classes of the debiased calibration error of each class's score, (…,) (Kull et al. 2019)."""
    return np.asarray(np.mean(class_calibration_errors(images, weights)[..., images.targets], axis=-1))


def class_calibration_errors(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the debiased calibration error of the score of each class, (…, k)."""
    return images.class_bins.calibration_error(weights)


def brier_score(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean over images of Σ (score − outcome)² over the classes, (…,): 0 is best (Brier 1950)."""
    errors = (images.scores - images.positive)[:, images.targets] ** 2
    return _weighted_mean(errors.sum(axis=1), weights)


def log_loss(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean of −log(score of the true class), (…,); of independent scores the sum over classes.

    A score of 0 counts as 1e-12.
    """
    scores = np.clip(images.scores[:, images.targets], SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    positive = images.positive[:, images.targets]
    if images.is_independent:
        losses = np.where(positive, np.log(scores), np.log1p(-scores)).sum(axis=1)
    else:
        losses = np.log(scores / scores.sum(axis=1, keepdims=True))[positive]
    return -_weighted_mean(losses, weights)


def area_under_risk_coverage(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean error rate of the most confident images over all coverages, (…,): 0 is best (Geifman 2019).

    Confidence is the largest score; images of equal confidence are accepted together.
    """
    accepted, risk = _accept_by_confidence(images, weights)
    added = np.diff(accepted, axis=-1, prepend=0.0)
    return safe_divide((added * risk).sum(axis=-1), accepted[..., -1])


def risk_by_coverage(images: ScoredImages, coverages: FloatArray, weights: Weights = None) -> FloatArray:
    """Return the error rate of the most confident images at fractions of all images, (…, g).

    The rate is linear between numbers of accepted images, and constant up to the first one.
    """
    accepted, risk = map(np.atleast_2d, _accept_by_confidence(images, weights))
    rows = [np.interp(coverages, row / row[-1], rates) for row, rates in zip(accepted, risk, strict=True)]
    return np.stack(rows) if weights is not None and weights.ndim > 1 else rows[0]


def _accept_by_confidence(images: ScoredImages, weights: Weights) -> tuple[FloatArray, FloatArray]:
    """Return the weight of the images accepted down to each confidence, and their error rate, each (…, c)."""
    order = images.confidence_order
    last = np.flatnonzero(np.append(np.diff(images.confidence[order]) != 0, True))
    take = slice(None) if len(last) == len(order) else last  # a slice avoids a copy
    weight = np.ones(len(order)) if weights is None else np.asarray(weights, dtype=np.float64)[..., order]
    accepted = np.cumsum(weight, axis=-1)[..., take]
    errors = np.cumsum(weight * ~images.correct[order], axis=-1)[..., take]
    return accepted, np.nan_to_num(safe_divide(errors, accepted))


def set_coverage(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the fraction of images whose prediction set contains their class, (…,)."""
    return _weighted_mean(_is_covered(images), weights)


def class_set_coverages(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the fraction of the images of each class whose prediction set contains it, (…, k)."""
    return _mean_by_class(_is_covered(images), images, weights)


def set_size(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean number of classes in a prediction set, (…,)."""
    return _weighted_mean(_set_sizes(images), weights)


def class_set_sizes(images: ScoredImages, weights: Weights = None) -> FloatArray:
    """Return the mean number of classes in the prediction sets of the images of each class, (…, k)."""
    return _mean_by_class(_set_sizes(images), images, weights)


def _is_covered(images: ScoredImages) -> FloatArray:
    assert images.sets is not None
    return np.asarray((images.sets & images.positive).any(axis=1), dtype=np.float64)


def _set_sizes(images: ScoredImages) -> FloatArray:
    assert images.sets is not None
    return np.asarray(images.sets.sum(axis=1), dtype=np.float64)


def _mean_by_class(values: FloatArray, images: ScoredImages, weights: Weights) -> FloatArray:
    """Return the mean of values of the images, (n,), over those of each class, (…, k); NaN without one."""
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    positive = images.positive.astype(np.float64)
    return safe_divide(weight @ (positive * values[:, None]), weight @ positive)


def _weighted_mean(values: FloatArray, weights: Weights) -> FloatArray:
    if weights is None:
        return np.asarray(np.mean(values))
    weight = np.asarray(weights, dtype=np.float64)
    return safe_divide(weight @ values, weight.sum(axis=-1))
