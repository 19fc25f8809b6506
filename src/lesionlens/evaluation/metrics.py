"""Measures of classification as pure functions on arrays, each for many weightings of the images at once.

A measure that is not defined is NaN, never a silent 0 or 1. Departures from others: scikit-learn gives 0 for
the precision of a class that is never predicted and for the F1 of a class that has no image
(``zero_division``); the official ISIC scorer gives 1 for every ratio without a denominator.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation.sweep import Bools, Floats, Sweep


class Counts(NamedTuple):
    """Weight of the images by truth and decision for each class against the rest, each (…, k)."""

    true_positives: Floats
    false_positives: Floats
    false_negatives: Floats
    true_negatives: Floats


def counts(positive: Bools, predicted: Bools, weights: NDArray[Any] | None = None) -> Counts:
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
    return Counts(both, found - both, there - both, everything - found - there + both)


def sensitivity(c: Counts) -> Floats:
    """Share of a class's images that are found (recall); undefined without an image of the class."""
    return ratio(c.true_positives, c.true_positives + c.false_negatives)


def specificity(c: Counts) -> Floats:
    """Share of the other images that are not taken for the class; undefined where there are none."""
    return ratio(c.true_negatives, c.true_negatives + c.false_positives)


def precision(c: Counts) -> Floats:
    """Share of the images decided for a class that are of it; undefined where none is."""
    return ratio(c.true_positives, c.true_positives + c.false_positives)


def f1(c: Counts) -> Floats:
    """Harmonic mean of precision and sensitivity (Dice coefficient); undefined without an image of the class.

    A class that has images and is never predicted has an F1 of 0.
    """
    score = ratio(2 * c.true_positives, 2 * c.true_positives + c.false_positives + c.false_negatives)
    return np.where(c.true_positives + c.false_negatives > 0, score, np.nan)


def support(c: Counts) -> Floats:
    """Images of the class."""
    return c.true_positives + c.false_negatives


def decided(c: Counts) -> Floats:
    """Images decided for the class."""
    return c.true_positives + c.false_positives


def accuracy(c: Counts) -> Floats:
    """Share of all images that are decided rightly, the class against the rest."""
    right = c.true_positives + c.true_negatives
    return ratio(right, right + c.false_positives + c.false_negatives)


def auc(s: Sweep) -> Floats:
    """Area under the ROC curve, ties counted half (Hanley and McNeil 1982), (…,); needs both kinds."""
    true, false = s.true_positives, s.false_positives
    steps = np.diff(false, axis=-1, prepend=0.0)
    heights = true - np.diff(true, axis=-1, prepend=0.0) / 2
    return ratio(np.einsum("...t,...t->...", steps, heights), true[..., -1] * false[..., -1])


def average_precision(s: Sweep) -> Floats:
    """Mean precision over the steps of recall, without interpolation, (…,); undefined without a positive.

    As ``sklearn.metrics.average_precision_score``.
    """
    true = s.true_positives
    found = true + s.false_positives
    precise = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
    steps = np.diff(true, axis=-1, prepend=0.0)
    return ratio(np.einsum("...t,...t->...", steps, precise), true[..., -1])


def ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.asarray(np.divide(part, whole, out=np.full(shape, np.nan), where=whole > 0))
