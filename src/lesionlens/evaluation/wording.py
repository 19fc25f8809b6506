"""How numbers and names are written for a reader: in the terminal, in figures and in reports alike."""

import math

from lesionlens.evaluation.evaluation import Estimate

TITLES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
}
UNDEFINED = "–"


def readable(name: str) -> str:
    """Write a class name with blanks.

    Examples
    --------
    >>> readable("basal_cell_carcinoma")
    'basal cell carcinoma'
    """
    return name.replace("_", " ")


def with_interval(estimate: Estimate) -> str:
    """Write a value and its interval with three digits; a dash where the value is not defined.

    Examples
    --------
    >>> with_interval(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    '0.873 (0.842–0.901)'
    >>> with_interval(Estimate("auc", "nevus", math.nan, math.nan, math.nan))
    '–'
    """
    if math.isnan(estimate.value):
        return UNDEFINED
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"
