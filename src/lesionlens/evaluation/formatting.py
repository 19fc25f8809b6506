"""How numbers and names are written for a reader: in the terminal, in figures and in reports alike."""

import math

from lesionlens.evaluation.result import Estimate, EvaluationResult

METRIC_TITLES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "f1_weighted_by_predictions": "F1, weighted by predictions",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
}
UNDEFINED_SYMBOL = "–"
MACRO_LABEL, WEIGHTED_LABEL = "mean of classes", "weighted mean"


def display_name(name: str) -> str:
    """Write a class name with blanks.

    Examples
    --------
    >>> display_name("basal_cell_carcinoma")
    'basal cell carcinoma'
    """
    return name.replace("_", " ")


def task_label(task: str) -> str:
    """Write what was measured.

    Examples
    --------
    >>> task_label("melanoma"), task_label("seborrheic_keratosis/nevus")
    ('melanoma against the rest', 'seborrheic keratosis against nevus')
    """
    one, _, other = task.partition("/")
    return f"{display_name(one)} against {display_name(other) if other else 'the rest'}"


def decision_label(evaluation: EvaluationResult) -> str:
    """Say which class an image is taken for."""
    if evaluation.decision == "argmax":
        return "an image is of the class with the largest score"
    if evaluation.decision == "isic":
        return "an image is of every class whose score exceeds 0.5"
    if len(evaluation.classes) == len(evaluation.thresholds) + 1 == 2:
        (name, value), *_ = evaluation.thresholds.items()
        other = display_name(next(each for each in evaluation.classes if each != name))
        return (
            f"an image is {display_name(name)} where its score is {value:.4g} or more, else {other} "
            f"({evaluation.threshold_rule})"
        )
    values = ", ".join(f"{display_name(name)} {value:.4g}" for name, value in evaluation.thresholds.items())
    rest = [display_name(name) for name in evaluation.classes if name not in evaluation.thresholds]
    others = f", and of {rest[0]} if of no other" if rest else ""
    return (
        f"an image is of every class whose score reaches its threshold{others}; thresholds: {values} "
        f"({evaluation.threshold_rule})"
    )


def format_with_interval(estimate: Estimate) -> str:
    """Write a value and its interval with three digits; a dash where the value is not defined.

    Examples
    --------
    >>> format_with_interval(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    '0.873 (0.842–0.901)'
    >>> format_with_interval(Estimate("auc", "nevus", math.nan, math.nan, math.nan))
    '–'
    """
    if math.isnan(estimate.value):
        return UNDEFINED_SYMBOL
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"
