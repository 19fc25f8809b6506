"""ROC curve averaged over several runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.core.types import FloatArray
from lesionlens.evaluation.metrics import FPR_GRID, ClassCurves


class MeanROC(NamedTuple):
    """Mean curve, (g + 1,), and the range over the runs, (g,), at g false positive rates."""

    fpr: FloatArray
    tpr: FloatArray
    grid: FloatArray
    low: FloatArray
    high: FloatArray


def mean_roc(curves: Sequence[ClassCurves]) -> MeanROC:
    """Average the true positive rates of one or more runs at each false positive rate.

    Examples
    --------
    >>> steep = ClassCurves((0, 0, 1), (0, 1, 1), (), ())
    >>> diagonal = ClassCurves((0, 1), (0, 1), (), ())
    >>> mean = mean_roc([steep, diagonal])
    >>> mean.tpr[[0, 1, 51, -1]].tolist(), float(mean.low[50]), float(mean.high[50])
    ([0.0, 0.5, 0.75, 1.0], 0.5, 1.0)
    """
    rates = np.array([np.interp(FPR_GRID, curve.fpr, curve.tpr) for curve in curves])
    # the curve starts at the origin, even if it rises at a false positive rate of 0
    x, y = np.append(0.0, FPR_GRID), np.append(0.0, rates.mean(axis=0))
    return MeanROC(x, y, FPR_GRID, rates.min(axis=0), rates.max(axis=0))
