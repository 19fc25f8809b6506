"""ROC and precision-recall curves, and the band in which resampled ROC curves lie."""

from dataclasses import dataclass

import numpy as np

from lesionlens.evaluation.metrics import ratio
from lesionlens.evaluation.sweep import Floats, Sweep

GRID = np.linspace(0, 1, 101)  # false positive rates at which resampled curves are compared
_POINTS = 200
_DIGITS = 5  # finer than a pixel of any figure

Points = tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """The curves of one class against the rest, thinned for a file or a figure.

    Attributes
    ----------
    fpr, tpr
        ROC curve from (0, 0) to (1, 1); straight between points.
    recall, precision
        Precision-recall curve from recall 0 on; a step between points, never a straight line.
    grid, low, high
        False positive rates and the pointwise bootstrap interval of the true positive rate there;
        empty without a bootstrap.
    """

    fpr: Points
    tpr: Points
    recall: Points
    precision: Points
    grid: Points = ()
    low: Points = ()
    high: Points = ()


def roc(s: Sweep) -> tuple[Floats, Floats]:
    """Give false and true positive rates from (0, 0) on, each (t + 1,), for a sweep of one weighting."""
    true, false = np.append(0.0, s.true_positives), np.append(0.0, s.false_positives)
    return ratio(false, false[-1:]), ratio(true, true[-1:])


def precision_recall(s: Sweep) -> tuple[Floats, Floats]:
    """Give recall and precision, each (t + 1,), from recall 0, where precision is 1 by convention.

    As ``sklearn.metrics.precision_recall_curve``, in the opposite order.
    """
    true, found = s.true_positives, s.true_positives + s.false_positives
    return np.append(0.0, ratio(true, true[-1:])), np.append(1.0, ratio(true, found))


def tpr_at(s: Sweep, grid: Floats = GRID) -> Floats:
    """Read the ROC curve of each weighting at given false positive rates, (r, g); NaN where undefined."""
    true, false = np.atleast_2d(s.true_positives), np.atleast_2d(s.false_positives)
    table = np.full((len(true), len(grid)), np.nan)
    for row, (found, wrong) in enumerate(zip(true, false, strict=True)):
        if found[-1] > 0 and wrong[-1] > 0:
            table[row] = np.interp(grid, np.append(0.0, wrong / wrong[-1]), np.append(0.0, found / found[-1]))
    return table


def curves(s: Sweep, resampled: Floats | None = None, *, confidence: float = 0.95) -> Curves:
    """Gather the thinned curves of a sweep, with a band from resampled curves, (r, g), of `tpr_at`."""
    fpr, tpr = map(_points, thin(*roc(s)))
    recall, precise = map(_points, thin(*precision_recall(s)))
    if resampled is None or np.isnan(resampled).all():
        return Curves(fpr, tpr, recall, precise)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    return Curves(fpr, tpr, recall, precise, _points(GRID), _points(low), _points(high))


def thin(x: Floats, y: Floats, *, points: int = _POINTS) -> tuple[Floats, Floats]:
    """Keep at most ``points`` points, evenly spread along the curve, the first and the last among them."""
    if len(x) <= points:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.searchsorted(length, np.linspace(0, length[-1], points))
    kept[-1] = len(x) - 1
    kept = np.unique(kept)
    return x[kept], y[kept]


def _points(values: Floats) -> Points:
    return tuple(float(value) for value in np.round(values, _DIGITS))
