"""Quality of scores as probabilities: calibration error, Brier score, log loss, and confidence as a guide to errors.

All functions are vectorized over bootstrap weights of the images and return NaN where they are undefined.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import safe_divide

NUM_BINS = 15
SMALLEST_SCORE = 1e-12  # in place of 0 in the log loss, which would be infinite


class ScoredImages(NamedTuple):
    """What the quality of scores is computed from.

    Attributes
    ----------
    scores
        Score of each class, (n, k).
    positive
        Whether each image is of each class, (n, k).
    targets
        Columns of the classes that the model scores: without a derived score of the other class.
    weights
        Number of times that each image counts, (…, n); None: once each.
    sets
        Whether each class is in the prediction set of each image, (n, k).
    """

    scores: FloatArray
    positive: BoolArray
    targets: list[int]
    weights: NDArray[Any] | None = None
    sets: BoolArray | None = None

    @property
    def is_independent(self) -> bool:
        """Whether the scores are independent sigmoids."""
        return len(self.targets) < int(self.scores.shape[1])

    @property
    def confidence(self) -> FloatArray:
        """Largest score of each image, (n,)."""
        return np.asarray(self.scores.max(axis=1))

    @property
    def correct(self) -> BoolArray:
        """Whether the class of the largest score is that of the image, (n,)."""
        return np.asarray(self.positive[np.arange(len(self.scores)), self.scores.argmax(axis=1)])


class BinRates(NamedTuple):
    """Images in bins of equal size: their number, fraction for which the event happened, and mean score, each (…, b).

    Without an image, fraction and mean score are 0.
    """

    n_images: FloatArray
    rate: FloatArray
    mean_score: FloatArray


def expected_calibration_error(images: ScoredImages) -> FloatArray:
    """Return the debiased expected calibration error of the largest score, (…,).

    Images are divided into 15 bins of equal size by their largest score (Naeini et al. 2015; equal mass: Nguyen and
    O'Connor 2015). The error is the mean over bins of |fraction correct − mean score|, weighted by their images, minus
    the bias that chance adds to each absolute value (Kumar et al. 2019, section 4, for a normal distribution).
    """
    return binned_calibration_error(images.confidence, images.correct, images.weights)


def classwise_calibration_error(images: ScoredImages) -> FloatArray:
    """Return the mean over classes of the debiased calibration error of each class's score, (…,) (Kull et al. 2019)."""
    return np.asarray(np.mean(class_calibration_errors(images)[..., images.targets], axis=-1))


def class_calibration_errors(images: ScoredImages) -> FloatArray:
    """Return the debiased calibration error of the score of each class, (…, k)."""
    errors = [
        binned_calibration_error(images.scores[:, k], images.positive[:, k], images.weights)
        for k in range(images.scores.shape[1])
    ]
    return np.stack(errors, axis=-1)


def binned_calibration_error(
    confidence: FloatArray,
    correct: BoolArray,
    weights: NDArray[Any] | None = None,
    *,
    num_bins: int = NUM_BINS,
) -> FloatArray:
    """Return the debiased calibration error in bins of equal size, (…,).

    Parameters
    ----------
    confidence
        Score of each image, (n,).
    correct
        Whether the event happened that the score predicts, (n,).
    weights
        Number of times that each image counts, (…, n).
    num_bins
        Number of bins; fewer where there are fewer images.
    """
    count, rate, mean = bin_rates(confidence, correct, weights, num_bins=num_bins)
    gap = np.abs(rate - mean)
    deviation = np.sqrt(np.nan_to_num(safe_divide(rate * (1 - rate), count)))
    excess = np.maximum(_mean_absolute_normal(gap, deviation) - gap, 0)
    error = safe_divide((count * (gap - excess)).sum(axis=-1), count.sum(axis=-1))
    return np.maximum(error, 0)


def bin_rates(
    confidence: FloatArray,
    correct: BoolArray,
    weights: NDArray[Any] | None = None,
    *,
    num_bins: int = NUM_BINS,
) -> BinRates:
    """Return the number of images, fraction correct and mean score in bins of equal size; parameters as above."""
    bins = equal_mass_bins(confidence, num_bins)
    member = (bins[:, None] == np.arange(bins.max() + 1)).astype(np.float64)
    weight = np.ones(len(confidence)) if weights is None else np.asarray(weights, dtype=np.float64)
    count = weight @ member
    rate = np.nan_to_num(safe_divide(weight @ (member * correct[:, None]), count))
    mean_score = np.nan_to_num(safe_divide(weight @ (member * confidence[:, None]), count))
    return BinRates(count, rate, mean_score)


def equal_mass_bins(values: FloatArray, num_bins: int) -> NDArray[np.intp]:
    """Return the bin of each value, (n,): bins of equally many values in ascending order; equal values in one bin."""
    order = np.argsort(values, kind="stable")
    bins = np.empty(len(values), dtype=np.intp)
    bins[order] = np.arange(len(values)) * min(num_bins, len(values)) // len(values)
    member = np.unique(values, return_inverse=True)[1]
    lowest = np.full(member.max() + 1, num_bins)
    np.minimum.at(lowest, member, bins)
    return np.unique(lowest[member], return_inverse=True)[1]


def _mean_absolute_normal(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return the mean of |x| of a normal distribution (folded normal distribution)."""
    ratio = np.divide(mean, deviation, out=np.full_like(mean, np.inf), where=deviation > 0)
    density = np.where(deviation > 0, 2 * deviation * norm.pdf(ratio), 0)
    return np.asarray(density + mean * (1 - 2 * norm.cdf(-ratio)))


def brier_score(images: ScoredImages) -> FloatArray:
    """Return the mean over images of Σ (score − outcome)² over the classes, (…,): 0 is best (Brier 1950)."""
    errors = (images.scores - images.positive)[:, images.targets] ** 2
    return _weighted_mean(errors.sum(axis=1), images.weights)


def log_loss(images: ScoredImages) -> FloatArray:
    """Return the mean of −log(score of the true class), (…,); of independent scores the sum over classes.

    A score of 0 counts as 1e-12.
    """
    scores = np.clip(images.scores[:, images.targets], SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    positive = images.positive[:, images.targets]
    if images.is_independent:
        losses = np.where(positive, np.log(scores), np.log1p(-scores)).sum(axis=1)
    else:
        losses = np.log(scores / scores.sum(axis=1, keepdims=True))[positive]
    return -_weighted_mean(losses, images.weights)


def area_under_risk_coverage(images: ScoredImages) -> FloatArray:
    """Return the mean error rate of the most confident images over all coverages, (…,): 0 is best (Geifman 2019).

    Confidence is the largest score; images of equal confidence are accepted together.
    """
    accepted, risk = _accept_by_confidence(images)
    added = np.diff(accepted, axis=-1, prepend=0.0)
    return safe_divide((added * risk).sum(axis=-1), accepted[..., -1])


def risk_by_coverage(images: ScoredImages, coverages: FloatArray) -> FloatArray:
    """Return the error rate of the most confident images at fractions of all images, (…, g).

    The rate is linear between numbers of accepted images, and constant up to the first one.
    """
    accepted, risk = map(np.atleast_2d, _accept_by_confidence(images))
    rows = [np.interp(coverages, row / row[-1], rates) for row, rates in zip(accepted, risk, strict=True)]
    return np.stack(rows) if images.weights is not None and images.weights.ndim > 1 else rows[0]


def _accept_by_confidence(images: ScoredImages) -> tuple[FloatArray, FloatArray]:
    """Return the weight of the images accepted down to each confidence, and their error rate, each (…, c)."""
    order = np.argsort(-images.confidence, kind="stable")
    last = np.flatnonzero(np.append(np.diff(images.confidence[order]) != 0, True))
    weight = np.ones(len(order)) if images.weights is None else np.asarray(images.weights, dtype=np.float64)
    weight = weight[..., order]
    accepted = np.cumsum(weight, axis=-1)[..., last]
    errors = np.cumsum(weight * ~images.correct[order], axis=-1)[..., last]
    return accepted, np.nan_to_num(safe_divide(errors, accepted))


def set_coverage(images: ScoredImages) -> FloatArray:
    """Return the fraction of images whose prediction set contains their class, (…,)."""
    return _weighted_mean(_is_covered(images), images.weights)


def class_set_coverages(images: ScoredImages) -> FloatArray:
    """Return the fraction of the images of each class whose prediction set contains it, (…, k)."""
    return _mean_by_class(_is_covered(images), images)


def set_size(images: ScoredImages) -> FloatArray:
    """Return the mean number of classes in a prediction set, (…,)."""
    return _weighted_mean(_set_sizes(images), images.weights)


def class_set_sizes(images: ScoredImages) -> FloatArray:
    """Return the mean number of classes in the prediction sets of the images of each class, (…, k)."""
    return _mean_by_class(_set_sizes(images), images)


def _is_covered(images: ScoredImages) -> FloatArray:
    assert images.sets is not None
    return np.asarray((images.sets & images.positive).any(axis=1), dtype=np.float64)


def _set_sizes(images: ScoredImages) -> FloatArray:
    assert images.sets is not None
    return np.asarray(images.sets.sum(axis=1), dtype=np.float64)


def _mean_by_class(values: FloatArray, images: ScoredImages) -> FloatArray:
    """Return the mean of values of the images, (n,), over those of each class, (…, k); NaN without one."""
    weight = np.ones(len(values)) if images.weights is None else np.asarray(images.weights, dtype=np.float64)
    return safe_divide(weight @ (images.positive * values[:, None]), weight @ images.positive.astype(float))


def _weighted_mean(values: FloatArray, weights: NDArray[Any] | None) -> FloatArray:
    if weights is None:
        return np.asarray(np.mean(values))
    weight = np.asarray(weights, dtype=np.float64)
    return safe_divide(weight @ values, weight.sum(axis=-1))
