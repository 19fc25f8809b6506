"""Measures of classification as pure functions on arrays, each for many weightings of the images at once.

A measure that is not defined is NaN, never a silent 0 or 1. Departures from others: scikit-learn gives 0 for
the precision of a class that is never predicted and for the F1 of a class that has no image
(``zero_division``); the official ISIC scorer gives 1 for every ratio without a denominator.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation.sweep import BoolArray, FloatArray, ThresholdSweep


class ConfusionCounts(NamedTuple):
    """Weight of the images by truth and decision for each class against the rest, each (…, k)."""

    true_positives: FloatArray
    false_positives: FloatArray
    false_negatives: FloatArray
    true_negatives: FloatArray


def confusion_counts(positive: BoolArray, predicted: BoolArray, weights: NDArray[Any] | None = None) -> ConfusionCounts:
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
    score = safe_divide(2 * counts.true_positives, 2 * counts.true_positives + counts.false_positives + counts.false_negatives)
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
    numerator, denominator = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.asarray(np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0))
