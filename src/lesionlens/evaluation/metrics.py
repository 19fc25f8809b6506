"""Measures of classification as pure functions on arrays, each for many weightings of the images at once.

A measure that is not defined is NaN, never a silent 0 or 1. Departures from others: scikit-learn gives 0 for
the precision of a class that is never predicted and for the F1 of a class that has no image
(``zero_division``); the official ISIC scorer gives 1 for every ratio without a denominator.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray


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


def threshold_sweep(
    positive: BoolArray, scores: FloatArray, weights: NDArray[Any] | None = None
) -> ThresholdSweep:
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


class ConfusionCounts(NamedTuple):
    """Weight of the images by truth and decision for each class against the rest, each (…, k)."""

    true_positives: FloatArray
    false_positives: FloatArray
    false_negatives: FloatArray
    true_negatives: FloatArray


def confusion_counts(
    positive: BoolArray, predicted: BoolArray, weights: NDArray[Any] | None = None
) -> ConfusionCounts:
    """Count truth against decision.

    Parameters
    ----------
    positive
        Truth, (n, k).
    predicted
        Decision, (n, k).
    weights
        How often each image counts, (…, n); None counts each once.
    """
    counted = np.ones(len(positive)) if weights is None else np.asarray(weights, dtype=np.float64)
    both = counted @ (positive & predicted).astype(np.float64)
    found = counted @ predicted.astype(np.float64)
    there = counted @ positive.astype(np.float64)
    everything = counted.sum(axis=-1)[..., None]
    return ConfusionCounts(both, found - both, there - both, everything - found - there + both)


def sensitivity(counts: ConfusionCounts) -> FloatArray:
    """Share of a class's images that are found (recall); undefined without an image of the class."""
    return safe_divide(counts.true_positives, counts.true_positives + counts.false_negatives)


def specificity(counts: ConfusionCounts) -> FloatArray:
    """Share of the other images that are not taken for the class; undefined where there are none."""
    return safe_divide(counts.true_negatives, counts.true_negatives + counts.false_positives)


def precision(counts: ConfusionCounts) -> FloatArray:
    """Share of the images decided for a class that are of it; undefined where none is."""
    return safe_divide(counts.true_positives, counts.true_positives + counts.false_positives)


def f1(counts: ConfusionCounts) -> FloatArray:
    """Harmonic mean of precision and sensitivity (Dice coefficient); undefined without an image of the class.

    A class that has images and is never predicted has an F1 of 0.
    """
    score = safe_divide(
        2 * counts.true_positives, 2 * counts.true_positives + counts.false_positives + counts.false_negatives
    )
    return np.where(counts.true_positives + counts.false_negatives > 0, score, np.nan)


def support(counts: ConfusionCounts) -> FloatArray:
    """Images of the class."""
    return counts.true_positives + counts.false_negatives


def predicted_positive(counts: ConfusionCounts) -> FloatArray:
    """Images decided for the class."""
    return counts.true_positives + counts.false_positives


def accuracy(counts: ConfusionCounts) -> FloatArray:
    """Share of all images that are decided rightly, the class against the rest."""
    right = counts.true_positives + counts.true_negatives
    return safe_divide(right, right + counts.false_positives + counts.false_negatives)


def auc(sweep: ThresholdSweep) -> FloatArray:
    """Area under the ROC curve, ties counted half (Hanley and McNeil 1982), (…,); needs both kinds."""
    true, false = sweep.true_positives, sweep.false_positives
    steps = np.diff(false, axis=-1, prepend=0.0)
    heights = true - np.diff(true, axis=-1, prepend=0.0) / 2
    return safe_divide(np.einsum("...t,...t->...", steps, heights), true[..., -1] * false[..., -1])


def average_precision(sweep: ThresholdSweep) -> FloatArray:
    """Mean precision over the steps of recall, without interpolation, (…,); undefined without a positive.

    As ``sklearn.metrics.average_precision_score``.
    """
    true = sweep.true_positives
    found = true + sweep.false_positives
    precise = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
    steps = np.diff(true, axis=-1, prepend=0.0)
    return safe_divide(np.einsum("...t,...t->...", steps, precise), true[..., -1])


def safe_divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; NaN where there is nothing to divide by."""
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
    """The curves of one class against the rest, thinned for a file or a figure.

    Attributes
    ----------
    fpr, tpr
        ROC curve from (0, 0) to (1, 1); straight between points.
    recall, precision
        Precision-recall curve from recall 0 on; a step between points, never a straight line.
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
    """Give false and true positive rates from (0, 0) on, each (t + 1,), for a sweep of one weighting."""
    true, false = np.append(0.0, sweep.true_positives), np.append(0.0, sweep.false_positives)
    return safe_divide(false, false[-1:]), safe_divide(true, true[-1:])


def precision_recall_curve(sweep: ThresholdSweep) -> tuple[FloatArray, FloatArray]:
    """Give recall and precision, each (t + 1,), from recall 0, where precision is 1 by convention.

    As ``sklearn.metrics.precision_recall_curve``, in the opposite order.
    """
    true, found = sweep.true_positives, sweep.true_positives + sweep.false_positives
    return np.append(0.0, safe_divide(true, true[-1:])), np.append(1.0, safe_divide(true, found))


def tpr_at_fpr(sweep: ThresholdSweep, fpr_grid: FloatArray = FPR_GRID) -> FloatArray:
    """Read the ROC curve of each weighting at given false positive rates, (r, g); NaN where undefined."""
    true, false = np.atleast_2d(sweep.true_positives), np.atleast_2d(sweep.false_positives)
    table = np.full((len(true), len(fpr_grid)), np.nan)
    for row, (found, wrong) in enumerate(zip(true, false, strict=True)):
        if found[-1] > 0 and wrong[-1] > 0:
            table[row] = np.interp(
                fpr_grid, np.append(0.0, wrong / wrong[-1]), np.append(0.0, found / found[-1])
            )
    return table


def compute_class_curves(
    sweep: ThresholdSweep, resampled_tpr: FloatArray | None = None, *, confidence: float = 0.95
) -> ClassCurves:
    """Gather the thinned curves of a sweep, with a band from resampled curves, (r, g), of `tpr_at_fpr`."""
    fpr, tpr = map(_to_curve, downsample_curve(*roc_curve(sweep)))
    recall, precise = map(_to_curve, downsample_curve(*precision_recall_curve(sweep)))
    if resampled_tpr is None or np.isnan(resampled_tpr).all():
        return ClassCurves(fpr, tpr, recall, precise)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled_tpr, [tail, 1 - tail], axis=0)
    return ClassCurves(fpr, tpr, recall, precise, _to_curve(FPR_GRID), _to_curve(low), _to_curve(high))


def downsample_curve(
    x: FloatArray, y: FloatArray, *, max_points: int = _MAX_POINTS
) -> tuple[FloatArray, FloatArray]:
    """Keep at most ``max_points`` points, evenly spread along the curve, the first and the last among them."""
    if len(x) <= max_points:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.searchsorted(length, np.linspace(0, length[-1], max_points))
    kept[-1] = len(x) - 1
    kept = np.unique(kept)
    return x[kept], y[kept]


def _to_curve(values: FloatArray) -> CurveValues:
    return tuple(float(value) for value in np.round(values, _DIGITS))
