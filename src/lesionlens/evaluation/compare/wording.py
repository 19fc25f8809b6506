"""How comparisons are written for a reader: in the terminal and in figures alike."""

import math

from lesionlens.evaluation.compare.comparison import Comparison
from lesionlens.evaluation.compare.contrast import Contrast
from lesionlens.evaluation.measures import ALL, MACRO, WEIGHTED
from lesionlens.evaluation.wording import TITLES, UNDEFINED, readable

_AVERAGES = {MACRO: ", mean of classes", WEIGHTED: ", weighted mean", ALL: ""}


def name_of(contrast: Contrast) -> str:
    """Write what was measured, of what."""
    title = TITLES[contrast.metric]
    return f"{title}{_AVERAGES.get(contrast.of, f', {readable(contrast.of)}')}"


def value(number: float) -> str:
    """Write a value with three digits."""
    return UNDEFINED if math.isnan(number) else f"{number:.3f}"


def signed(number: float) -> str:
    """Write a difference with its sign, and none where nothing is left of it.

    Examples
    --------
    >>> signed(0.0213), signed(-0.0213), signed(-0.0001)
    ('+0.021', '−0.021', '0.000')
    """
    if math.isnan(number):
        return UNDEFINED
    text = f"{abs(number):.3f}"
    sign = "" if float(text) == 0 else "+" if number > 0 else "−"
    return f"{sign}{text}"


def difference(comparison: Comparison) -> str:
    """Write a difference and its interval."""
    if math.isnan(comparison.low):
        return signed(comparison.difference)
    return f"{signed(comparison.difference)} ({signed(comparison.low)} to {signed(comparison.high)})"


def probability(p: float) -> str:
    """Write p with three digits, never as zero.

    Examples
    --------
    >>> probability(0.0312), probability(0.0004), probability(float("nan"))
    ('0.031', '<0.001', '–')
    """
    if math.isnan(p):
        return UNDEFINED
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"
