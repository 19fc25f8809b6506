"""Format names and numbers for people, in the terminal, in figures and in reports."""

import math

from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED, Aggregate, Scope
from lesionlens.evaluation.registry import METRICS, metric_title
from lesionlens.evaluation.result import Estimate, EvaluationResult

UNDEFINED_SYMBOL = "–"
MACRO_LABEL, WEIGHTED_LABEL = "mean of classes", "weighted mean"
SCOPE_LABELS: dict[Aggregate, str] = {MACRO: MACRO_LABEL, WEIGHTED: WEIGHTED_LABEL, OVERALL: "all images"}


def display_name(name: str) -> str:
    """Return a class name with spaces in place of underscores.

    Examples
    --------
    >>> display_name("basal_cell_carcinoma")
    'basal cell carcinoma'
    """
    return name.replace("_", " ")


def format_scope(scope: Scope) -> str:
    """Return the name of an average, of all images or of a class.

    Examples
    --------
    >>> format_scope(MACRO), format_scope("basal_cell_carcinoma"), format_scope("macro")
    ('mean of classes', 'basal cell carcinoma', 'macro')
    """
    return display_name(scope) if isinstance(scope, str) else SCOPE_LABELS[scope]


def format_metric(metric: str, scope: Scope) -> str:
    """Return the title of a metric with its scope.

    Examples
    --------
    >>> format_metric("auc", "melanoma"), format_metric("accuracy", OVERALL)
    ('AUC, melanoma', 'Accuracy')
    """
    title = metric_title(metric)
    return title if scope is OVERALL else f"{title}, {format_scope(scope)}"


def format_metric_direction(metric: str, scope: Scope) -> str:
    """Return the title of a metric with its scope, and that lower is better if it is.

    Examples
    --------
    >>> format_metric_direction("auc", "melanoma"), format_metric_direction("ece", OVERALL)
    ('AUC, melanoma', 'Calibration error (lower is better)')
    """
    direction = " (lower is better)" if metric in METRICS and METRICS[metric].lower_is_better else ""
    return format_metric(metric, scope) + direction


def task_label(positive: str, negative: str = "") -> str:
    """Return a binary task in words; without ``negative``, the class against the rest.

    Examples
    --------
    >>> task_label("melanoma"), task_label("seborrheic_keratosis", "nevus")
    ('melanoma against the rest', 'seborrheic keratosis against nevus')
    """
    return f"{display_name(positive)} against {display_name(negative) if negative else 'the rest'}"


def decision_label(evaluation: EvaluationResult) -> str:
    """Return in words how scores were turned into predicted classes."""
    if evaluation.decision == "argmax":
        return "the predicted class is the one with the largest score"
    if evaluation.decision == "isic":
        return "every class with a score above 0.5 is predicted"
    if len(evaluation.classes) == len(evaluation.thresholds) + 1 == 2:
        return f"{_binary_threshold_label(evaluation)} ({evaluation.threshold_rule})"
    thresholds = ", ".join(
        f"{display_name(name)} {value:.4g}" for name, value in evaluation.thresholds.items()
    )
    remaining = [display_name(name) for name in evaluation.classes if name not in evaluation.thresholds]
    fallback = f", and {remaining[0]} if no other class is" if remaining else ""
    return (
        f"every class whose score reaches its threshold is predicted{fallback}; thresholds: {thresholds} "
        f"({evaluation.threshold_rule})"
    )


def _binary_threshold_label(evaluation: EvaluationResult) -> str:
    (positive, threshold), *_ = evaluation.thresholds.items()
    negative = next(name for name in evaluation.classes if name != positive)
    return (
        f"{display_name(positive)} is predicted if its score is {threshold:.4g} or more, otherwise "
        f"{display_name(negative)}"
    )


def format_value(value: float) -> str:
    """Return a value with three decimals, or a dash if it is undefined.

    Examples
    --------
    >>> format_value(0.87312), format_value(math.nan)
    ('0.873', '–')
    """
    return UNDEFINED_SYMBOL if math.isnan(value) else f"{value:.3f}"


def format_interval(low: float, high: float) -> str:
    """Return an interval with three decimals, or "" if it is undefined.

    Examples
    --------
    >>> format_interval(0.842, 0.9009), format_interval(math.nan, math.nan)
    ('0.842–0.901', '')
    """
    return "" if math.isnan(low) else f"{low:.3f}–{high:.3f}"


def format_with_interval(estimate: Estimate) -> str:
    """Return a value and its interval with three decimals; a dash if the value is undefined.

    Examples
    --------
    >>> format_with_interval(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    '0.873 (0.842–0.901)'
    >>> format_with_interval(Estimate("auc", "nevus", math.nan, math.nan, math.nan))
    '–'
    """
    interval = "" if math.isnan(estimate.value) else format_interval(estimate.low, estimate.high)
    return f"{format_value(estimate.value)} ({interval})" if interval else format_value(estimate.value)


def format_signed(value: float) -> str:
    """Return a difference with its sign and three decimals; without a sign if it rounds to zero.

    Examples
    --------
    >>> format_signed(0.0213), format_signed(-0.0213), format_signed(-0.0001)
    ('+0.021', '−0.021', '0.000')
    """
    if math.isnan(value):
        return UNDEFINED_SYMBOL
    text = f"{abs(value):.3f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else "−"
    return f"{sign}{text}"


def format_difference(difference: float, low: float, high: float) -> str:
    """Return a difference and its interval.

    Examples
    --------
    >>> format_difference(0.0213, -0.01, 0.05)
    '+0.021 (−0.010 to +0.050)'
    """
    if math.isnan(low):
        return format_signed(difference)
    return f"{format_signed(difference)} ({format_signed(low)} to {format_signed(high)})"


def format_p_value(p: float) -> str:
    """Return a p-value with three decimals, never as zero.

    Examples
    --------
    >>> format_p_value(0.0312), format_p_value(0.0004), format_p_value(float("nan"))
    ('0.031', '<0.001', '–')
    """
    if math.isnan(p):
        return UNDEFINED_SYMBOL
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"
