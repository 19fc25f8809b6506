"""How comparisons are written for a reader: in the terminal and in figures alike."""

import math

from lesionlens.evaluation.compare.comparison import SignificanceResult
from lesionlens.evaluation.compare.contrast import MetricComparison
from lesionlens.evaluation.measures import OVERALL, MACRO, WEIGHTED
from lesionlens.evaluation.wording import METRIC_TITLES, UNDEFINED_SYMBOL, display_name

_SCOPE_SUFFIXES = {MACRO: ", mean of classes", WEIGHTED: ", weighted mean", OVERALL: ""}


def format_metric(comparison: MetricComparison) -> str:
    """Write what was measured, of what."""
    title = METRIC_TITLES[comparison.metric]
    return f"{title}{_SCOPE_SUFFIXES.get(comparison.scope, f', {display_name(comparison.scope)}')}"


def format_value(number: float) -> str:
    """Write a value with three digits."""
    return UNDEFINED_SYMBOL if math.isnan(number) else f"{number:.3f}"


def format_signed(number: float) -> str:
    """Write a difference with its sign, and none where nothing is left of it.

    Examples
    --------
    >>> signed(0.0213), signed(-0.0213), signed(-0.0001)
    ('+0.021', '−0.021', '0.000')
    """
    if math.isnan(number):
        return UNDEFINED_SYMBOL
    text = f"{abs(number):.3f}"
    sign = "" if float(text) == 0 else "+" if number > 0 else "−"
    return f"{sign}{text}"


def format_difference(result: SignificanceResult) -> str:
    """Write a difference and its interval."""
    if math.isnan(result.low):
        return format_signed(result.difference)
    return f"{format_signed(result.difference)} ({format_signed(result.low)} to {format_signed(result.high)})"


def format_p_value(p: float) -> str:
    """Write p with three digits, never as zero.

    Examples
    --------
    >>> probability(0.0312), probability(0.0004), probability(float("nan"))
    ('0.031', '<0.001', '–')
    """
    if math.isnan(p):
        return UNDEFINED_SYMBOL
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"
