"""Classification metrics and curves as pure functions on arrays, for many bootstrap weights of the images at once.

An undefined metric is NaN, never a silent 0 or 1. Other implementations differ: scikit-learn returns 0 for the
precision of a class that is never predicted and for the F1 of a class without images (``zero_division``); the official
ISIC scorer returns 1 for every ratio without a denominator.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray


class ThresholdSweep(NamedTuple):
    """True and false positives at every distinct score, used as a threshold from the highest to the lowest.

    Attributes
    ----------
    thresholds
        Distinct scores in descending order, (t,); images with a score at or above a threshold are predicted positive.
    true_positives
        Weight of the positive images predicted positive, (…, t); the last is the weight of all positives.
    false_positives
        Weight of the negative images predicted positive, (…, t).
    """

    thresholds: FloatArray
    true_positives: FloatArray
    false_positives: FloatArray


def threshold_sweep(
    positive: BoolArray, scores: FloatArray, weights: NDArray[Any] | None = None
) -> ThresholdSweep:
    """Count true and false positives at each distinct score; equal scores are counted together.

    Parameters
    ----------
    positive
        Whether each image is of the class, (n,).
    scores
        Model score of each image, (n,).
    weights
        Number of times that each image counts, (…, n), one row per bootstrap resample; default: once each.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)[..., order]
    # without ties a slice avoids the copy that an index array would make
    take = slice(None) if len(last) == len(ranked) else last
    true = np.cumsum(weight * positive[order], axis=-1)[..., take]
    false = np.cumsum(weight * ~positive[order], axis=-1)[..., take]
    return ThresholdSweep(ranked[last], true, false)


class ConfusionCounts(NamedTuple):
    """Weight of the images by true and predicted class, each class against the rest, each (…, k)."""

    true_positives: FloatArray
    false_positives: FloatArray
    false_negatives: FloatArray
    true_negatives: FloatArray


def confusion_counts(
    positive: BoolArray, predicted: BoolArray, weights: NDArray[Any] | None = None
) -> ConfusionCounts:
    """Count true and false positives and negatives of each class against the rest.

    Parameters
    ----------
    positive
        Whether each image is of each class, (n, k).
    predicted
        Whether each image is predicted to be of each class, (n, k).
    weights
        Number of times that each image counts, (…, n); default: once each.
    """
    weight = np.ones(len(positive)) if weights is None else np.asarray(weights, dtype=np.float64)
    true_positives = weight @ (positive & predicted).astype(np.float64)
    predicted_total = weight @ predicted.astype(np.float64)
    positive_total = weight @ positive.astype(np.float64)
    total = weight.sum(axis=-1)[..., None]
    return ConfusionCounts(
        true_positives,
        predicted_total - true_positives,
        positive_total - true_positives,
        total - predicted_total - positive_total + true_positives,
    )


def sensitivity(counts: ConfusionCounts) -> FloatArray:
    """Return TP / (TP + FN), also called recall; NaN without an image of the class."""
    return safe_divide(counts.true_positives, counts.true_positives + counts.false_negatives)


def specificity(counts: ConfusionCounts) -> FloatArray:
    """Return TN / (TN + FP); NaN without an image of another class."""
    return safe_divide(counts.true_negatives, counts.true_negatives + counts.false_positives)


def precision(counts: ConfusionCounts) -> FloatArray:
    """Return TP / (TP + FP); NaN if no image is predicted to be of the class."""
    return safe_divide(counts.true_positives, counts.true_positives + counts.false_positives)


def negative_predictive_value(counts: ConfusionCounts) -> FloatArray:
    """Return TN / (TN + FN); NaN if every image is predicted to be of the class."""
    return safe_divide(counts.true_negatives, counts.true_negatives + counts.false_negatives)


def f1(counts: ConfusionCounts) -> FloatArray:
    """Return the harmonic mean of precision and sensitivity (Dice coefficient); NaN without an image of the class.

    A class that has images but is never predicted has an F1 of 0.
    """
    score = safe_divide(
        2 * counts.true_positives, 2 * counts.true_positives + counts.false_positives + counts.false_negatives
    )
    return np.where(counts.true_positives + counts.false_negatives > 0, score, np.nan)


def accuracy(counts: ConfusionCounts) -> FloatArray:
    """Return (TP + TN) / all images, for the class against the rest."""
    correct = counts.true_positives + counts.true_negatives
    return safe_divide(correct, correct + counts.false_positives + counts.false_negatives)


def support(counts: ConfusionCounts) -> FloatArray:
    """Return the number of images of the class."""
    return counts.true_positives + counts.false_negatives


def predicted_positive(counts: ConfusionCounts) -> FloatArray:
    """Return the number of images predicted to be of the class."""
    return counts.true_positives + counts.false_positives


def overall_accuracy(
    positive: BoolArray, correct: BoolArray, weights: NDArray[Any] | None = None
) -> FloatArray:
    """Return the fraction of all images whose predicted class is correct, (…,).

    Parameters
    ----------
    positive
        Whether each image is of each class, (n, k).
    correct
        Whether the predicted class of each image is correct, (n,).
    weights
        Number of times that each image counts, (…, n); default: once each.
    """
    everything = np.ones((len(positive), 1), dtype=bool)
    return sensitivity(confusion_counts(everything, correct[:, None], weights))[..., 0]


def balanced_accuracy(
    positive: BoolArray, correct: BoolArray, weights: NDArray[Any] | None = None
) -> FloatArray:
    """Return the mean over the classes that have images of their fraction of correct images, (…,).

    Parameters as in `overall_accuracy`.
    """
    recall = sensitivity(confusion_counts(positive, positive & correct[:, None], weights))
    return np.asarray(recall[..., positive.any(axis=0)].mean(axis=-1))


def auc(sweep: ThresholdSweep) -> FloatArray:
    """Return the area under the ROC curve, (…,); ties count half (Hanley and McNeil 1982).

    NaN without a positive or without a negative image.
    """
    true, false = sweep.true_positives, sweep.false_positives
    steps = np.diff(false, axis=-1, prepend=0.0)
    heights = true - np.diff(true, axis=-1, prepend=0.0) / 2
    return safe_divide(np.einsum("...t,...t->...", steps, heights), true[..., -1] * false[..., -1])


def average_precision(sweep: ThresholdSweep) -> FloatArray:
    """Return the mean precision over the steps of recall, without interpolation, (…,); NaN without a positive image.

    Same definition as ``sklearn.metrics.average_precision_score``.
    """
    true = sweep.true_positives
    predicted = true + sweep.false_positives
    precisions = np.divide(true, predicted, out=np.zeros_like(true), where=predicted > 0)
    steps = np.diff(true, axis=-1, prepend=0.0)
    return safe_divide(np.einsum("...t,...t->...", steps, precisions), true[..., -1])


def safe_divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; NaN wherever the denominator is not positive."""
    numerator, denominator = (
        np.asarray(numerator, dtype=np.float64),
        np.asarray(denominator, dtype=np.float64),
    )
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.asarray(np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0))


FPR_GRID = np.linspace(0, 1, 101)  # false positive rates at which resampled curves are compared
_MAX_POINTS = 200
_DIGITS = 5  # finer than a pixel of any figure

CurveValues = tuple[float, ...]


@dataclass(frozen=True)
class ClassCurves:
    """ROC and precision-recall curves of one class against the rest, downsampled for files and figures.

    Attributes
    ----------
    fpr, tpr
        ROC curve from (0, 0) to (1, 1); linear between points.
    recall, precision
        Precision-recall curve from recall 0 on; a step function between points.
    fpr_grid, tpr_low, tpr_high
        False positive rates and the pointwise bootstrap interval of the true positive rate there;
        empty without a bootstrap.
    """

    fpr: CurveValues
    tpr: CurveValues
    recall: CurveValues
    precision: CurveValues
    fpr_grid: CurveValues = ()
    tpr_low: CurveValues = ()
    tpr_high: CurveValues = ()


def roc_curve(sweep: ThresholdSweep) -> tuple[FloatArray, FloatArray]:
    """Return false and true positive rates from (0, 0) on, each (t + 1,), for a sweep with one row of weights."""
    true, false = np.append(0.0, sweep.true_positives), np.append(0.0, sweep.false_positives)
    return safe_divide(false, false[-1:]), safe_divide(true, true[-1:])


def precision_recall_curve(sweep: ThresholdSweep) -> tuple[FloatArray, FloatArray]:
    """Return recall and precision, each (t + 1,), from recall 0, where precision is 1 by convention.

    Same values as ``sklearn.metrics.precision_recall_curve``, in the opposite order.
    """
    true, predicted = sweep.true_positives, sweep.true_positives + sweep.false_positives
    return np.append(0.0, safe_divide(true, true[-1:])), np.append(1.0, safe_divide(true, predicted))


def tpr_at_fpr(sweep: ThresholdSweep, fpr_grid: FloatArray = FPR_GRID) -> FloatArray:
    """Interpolate the ROC curve of each row of weights at false positive rates, (r, g); NaN where undefined."""
    true, false = np.atleast_2d(sweep.true_positives), np.atleast_2d(sweep.false_positives)
    rates = np.full((len(true), len(fpr_grid)), np.nan)
    for row, (true_positives, false_positives) in enumerate(zip(true, false, strict=True)):
        if true_positives[-1] > 0 and false_positives[-1] > 0:
            resample = ThresholdSweep(sweep.thresholds, true_positives, false_positives)
            rates[row] = np.interp(fpr_grid, *roc_curve(resample))
    return rates


def compute_class_curves(
    sweep: ThresholdSweep, resampled_tpr: FloatArray | None = None, *, confidence: float = 0.95
) -> ClassCurves:
    """Return the downsampled curves of a sweep, with a band from the resampled curves, (r, g), of `tpr_at_fpr`."""
    fpr, tpr = map(to_curve, downsample_curve(*roc_curve(sweep)))
    recall, precisions = map(to_curve, downsample_curve(*precision_recall_curve(sweep)))
    if resampled_tpr is None or np.isnan(resampled_tpr).all():
        return ClassCurves(fpr, tpr, recall, precisions)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled_tpr, [tail, 1 - tail], axis=0)
    return ClassCurves(fpr, tpr, recall, precisions, to_curve(FPR_GRID), to_curve(low), to_curve(high))


def downsample_curve(
    x: FloatArray, y: FloatArray, *, max_points: int = _MAX_POINTS
) -> tuple[FloatArray, FloatArray]:
    """Select at most ``max_points`` points, evenly spread along the curve and including its first and last."""
    if len(x) <= max_points:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    selected = np.searchsorted(length, np.linspace(0, length[-1], max_points))
    selected[-1] = len(x) - 1
    selected = np.unique(selected)
    return x[selected], y[selected]


def to_curve(values: FloatArray) -> CurveValues:
    """Return values of a curve, (g,), rounded for files."""
    return tuple(float(value) for value in np.round(values, _DIGITS))
