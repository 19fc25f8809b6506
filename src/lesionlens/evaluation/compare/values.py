"""One metric of predictions, by its name and what it is of, for many weightings of the images at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError, unknown
from lesionlens.evaluation.decision import Decision
from lesionlens.evaluation.measures import ALL, AVERAGES, Average, Values, measure
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Floats

Key = tuple[str, str]  # metric, and what it is of: as in an evaluation


def values(
    predictions: Predictions,
    keys: Sequence[Key],
    *,
    decision: Decision = "argmax",
    weights: NDArray[Any] | None = None,
) -> Floats:
    """Measure some metrics, (m, …), for each row of ``weights``, (…, n); NaN where one is not defined.

    An average is over the classes that have images here and are not the rest. It is NaN where one of them is, such as
    the precision of a class that is never decided: two models are averaged over the same classes or not at all.

    Raises
    ------
    ComparisonError
        There is no such metric, or not of this class.
    """
    found = measure(predictions, decision=decision, weights=weights).values
    return np.stack([_value(predictions, key, found) for key in keys])


def check_keys(keys: Sequence[Key], classes: Sequence[str]) -> None:
    """Refuse a metric that does not exist, or not of these classes."""
    averaged = {(each.metric, each.of) for each in AVERAGES}
    of_all = {("accuracy", ALL), ("balanced_accuracy", ALL)}
    metrics = {each.averaged for each in AVERAGES}
    for metric, of in keys:
        allowed = {name for each, name in averaged | of_all if each == metric}
        if not allowed:
            raise ComparisonError(unknown("metric", metric, {each for each, _ in averaged | of_all}))
        allowed |= set(classes) if metric in metrics else set()
        if of not in allowed:
            raise ComparisonError(unknown(f"{metric} of", of, allowed))


def _value(predictions: Predictions, key: Key, found: Values) -> Floats:
    average = next((each for each in AVERAGES if (each.metric, each.of) == key), None)
    return found[key] if average is None else _average(predictions, average, found)


def _average(predictions: Predictions, average: Average, found: Values) -> Floats:
    there = set(map(str, predictions.label)) - {predictions.rest}
    classes = tuple(name for name in predictions.classes if name in there)
    return average.how(found, average.averaged, classes)
