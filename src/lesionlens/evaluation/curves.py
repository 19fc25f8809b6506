"""ROC and precision-recall curves, and the band in which resampled ROC curves lie."""

from dataclasses import dataclass

import numpy as np

from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.sweep import FloatArray, ThresholdSweep

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
            table[row] = np.interp(fpr_grid, np.append(0.0, wrong / wrong[-1]), np.append(0.0, found / found[-1]))
    return table


def compute_class_curves(sweep: ThresholdSweep, resampled_tpr: FloatArray | None = None, *, confidence: float = 0.95) -> ClassCurves:
    """Gather the thinned curves of a sweep, with a band from resampled curves, (r, g), of `tpr_at`."""
    fpr, tpr = map(_to_curve, downsample_curve(*roc_curve(sweep)))
    recall, precise = map(_to_curve, downsample_curve(*precision_recall_curve(sweep)))
    if resampled_tpr is None or np.isnan(resampled_tpr).all():
        return ClassCurves(fpr, tpr, recall, precise)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled_tpr, [tail, 1 - tail], axis=0)
    return ClassCurves(fpr, tpr, recall, precise, _to_curve(FPR_GRID), _to_curve(low), _to_curve(high))


def downsample_curve(x: FloatArray, y: FloatArray, *, max_points: int = _MAX_POINTS) -> tuple[FloatArray, FloatArray]:
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
