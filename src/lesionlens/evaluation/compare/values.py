"""One metric of predictions, by its name and what it is of, for many weightings of the images at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError, unknown_name_message
from lesionlens.evaluation.decision import DecisionRule
from lesionlens.evaluation.measures import OVERALL, AVERAGED_METRICS, AveragedMetric, ValuesByMetric, compute_metrics
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import FloatArray

MetricKey = tuple[str, str]  # metric, and what it is of: as in an evaluation


def metric_values(
    predictions: Predictions,
    keys: Sequence[MetricKey],
    *,
    decision: DecisionRule = "argmax",
    weights: NDArray[Any] | None = None,
) -> FloatArray:
    """Measure some metrics, (m, …), for each row of ``weights``, (…, n); NaN where one is not defined.

    An average is over the classes that have images here and are not the rest. It is NaN where one of them is, such as
    the precision of a class that is never decided: two models are averaged over the same classes or not at all.

    Raises
    ------
    ComparisonError
        There is no such metric, or not of this class.
    """
    found = compute_metrics(predictions, decision=decision, weights=weights).values
    return np.stack([_metric_value(predictions, key, found) for key in keys])


def check_metric_keys(keys: Sequence[MetricKey], classes: Sequence[str]) -> None:
    """Refuse a metric that does not exist, or not of these classes."""
    averaged = {(each.metric, each.scope) for each in AVERAGED_METRICS}
    of_all = {("accuracy", OVERALL), ("balanced_accuracy", OVERALL)}
    metrics = {each.base_metric for each in AVERAGED_METRICS}
    for metric, of in keys:
        allowed = {name for each, name in averaged | of_all if each == metric}
        if not allowed:
            raise ComparisonError(unknown_name_message("metric", metric, {each for each, _ in averaged | of_all}))
        allowed |= set(classes) if metric in metrics else set()
        if of not in allowed:
            raise ComparisonError(unknown_name_message(f"{metric} of", of, allowed))


def _metric_value(predictions: Predictions, key: MetricKey, class_values: ValuesByMetric) -> FloatArray:
    average = next((each for each in AVERAGED_METRICS if (each.metric, each.scope) == key), None)
    return class_values[key] if average is None else _average_over_classes(predictions, average, class_values)


def _average_over_classes(predictions: Predictions, average: AveragedMetric, class_values: ValuesByMetric) -> FloatArray:
    there = set(map(str, predictions.label)) - {predictions.other_class}
    classes = tuple(name for name in predictions.classes if name in there)
    return average.aggregate(class_values, average.base_metric, classes)
