"""Predictive values at a given prevalence, from sensitivity and specificity (Altman and Bland 1994).

The precision of an evaluation is the PPV at the prevalence of its images. Collections of images have far more melanomas
than a practice, where the PPV is lower and the NPV higher.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.taxonomy import match_class
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.compute import ValuesByMetric
from lesionlens.evaluation.estimates import make_estimate
from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.result import Estimate
from lesionlens.evaluation.thresholds import positive_class


def predictive_values(
    prevalence: Mapping[str, float],
    point: ValuesByMetric,
    resampled: ValuesByMetric | None,
    estimates: Sequence[Estimate],
    *,
    confidence: float,
) -> tuple[Estimate, ...]:
    """Return PPV and NPV of each class at its prevalence, with the intervals of sensitivity and specificity together.

    The images of other classes are assumed to occur in the proportions of the evaluated images. Without an interval of
    sensitivity or specificity, which ``estimates`` contain, there is none; caveats about these apply here too.
    """
    values = []
    for class_name, prior in prevalence.items():
        parts = [
            item
            for item in estimates
            if item.metric in ("sensitivity", "specificity") and item.scope == class_name
        ]
        caveats = tuple(dict.fromkeys(caveat for part in parts for caveat in part.caveats))
        varies = resampled if not any(np.isnan(part.low) for part in parts) else None
        for name, function in (("ppv", _ppv), ("npv", _npv)):
            resamples = None if varies is None else function(varies, class_name, prior)
            value = function(point, class_name, prior)
            values.append(make_estimate((name, class_name), value, resamples, confidence, caveats))
    return tuple(values)


def _ppv(values: ValuesByMetric, class_name: str, prevalence: float) -> FloatArray:
    true = values["sensitivity", class_name] * prevalence
    false = (1 - values["specificity", class_name]) * (1 - prevalence)
    return safe_divide(true, true + false)


def _npv(values: ValuesByMetric, class_name: str, prevalence: float) -> FloatArray:
    true = values["specificity", class_name] * (1 - prevalence)
    false = (1 - values["sensitivity", class_name]) * prevalence
    return safe_divide(true, true + false)


def check_prevalence(prevalence: Mapping[str, float], classes: tuple[str, ...]) -> dict[str, float]:
    """Return prevalences of classes by the names of the predictions.

    Parameters
    ----------
    prevalence
        Prevalence, between 0 and 1, by class in any spelling; "" is the positive one of two classes.
    classes
        Classes of the predictions.

    Raises
    ------
    PredictionsError
        A class does not exist, or a prevalence is not between 0 and 1.
    """
    for name, value in prevalence.items():
        if not (math.isfinite(value) and 0 < value < 1):
            of_class = f" of {name}" if name else ""
            raise PredictionsError(
                f"the prevalence{of_class} is {value:g}; it must be between 0 and 1, such as 0.02 for 2 %"
            )
    return {_find_class(name, classes): value for name, value in prevalence.items()}


def _find_class(name: str, classes: tuple[str, ...]) -> str:
    if not name and len(classes) == 2:
        return positive_class(classes)
    if not name:
        raise PredictionsError(
            f"a prevalence needs its class if there are more than two: {classes[0]}:0.02. Classes are "
            f"{', '.join(classes)}"
        )
    if match := match_class(name, classes):
        return match
    raise PredictionsError(unknown_name_message("class", name, classes))


def parse_prevalence(texts: Sequence[str]) -> dict[str, float]:
    """Parse ``CLASS:NUMBER``, or ``NUMBER`` for the positive one of two classes.

    Raises
    ------
    PredictionsError
        A text has no number.

    Examples
    --------
    >>> parse_prevalence(["melanoma:0.02", "nevus:0.8"]), parse_prevalence(["0.02"])
    ({'melanoma': 0.02, 'nevus': 0.8}, {'': 0.02})
    """
    parsed = {}
    for text in texts:
        name, _, number = text.rpartition(":")
        try:
            parsed[name] = float(number)
        except ValueError:
            raise PredictionsError(
                f"the prevalence is {text!r}; allowed is CLASS:NUMBER such as melanoma:0.02, or a number if there are "
                "two classes"
            ) from None
    return parsed
