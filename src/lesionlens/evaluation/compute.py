"""Compute every metric of one set of predictions in one pass: per class, and for all images together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation import metrics
from lesionlens.evaluation.metric import MACRO, OVERALL, Average, MetricKey
from lesionlens.evaluation.metrics import ConfusionCounts, ThresholdSweep, threshold_sweep
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.score_quality import ScoredImages
from lesionlens.evaluation.thresholds import DecisionRule, is_correct, predict_labels

ValuesByMetric = dict[MetricKey, FloatArray]

_CLASS_COUNTS = {"support": metrics.support, "predicted_positive": metrics.predicted_positive}


class MetricValues(NamedTuple):
    """Metric values and the threshold sweeps that they were computed from.

    Attributes
    ----------
    values
        Value by metric and class, or metric and `OVERALL`, each (…,). Includes "support" and
        "predicted_positive", the number of images of each class and predicted to be of each class.
    sweeps
        One threshold sweep per class.
    """

    values: ValuesByMetric
    sweeps: tuple[ThresholdSweep, ...]


def compute_metrics(
    predictions: Predictions,
    *,
    decision: DecisionRule,
    weights: NDArray[Any] | None = None,
    names: Collection[str] = METRICS.keys(),
    images: Mapping[str, ScoredImages] | None = None,
) -> MetricValues:
    """Compute metrics of each class and of all images for each row of ``weights``, (…, n).

    Every image must have a label. Averages over classes are left to `average_over_classes`: the caller knows which
    classes can be averaged. ``names`` are the metrics to compute, by default every one; ``images`` the result of
    `scored_images`, to compute it once for many calls.
    """
    targets = predictions.targets()
    positive = targets[:, None] == np.arange(len(predictions.classes))
    predicted = predict_labels(predictions.scores, predictions.classes, decision)
    counts = metrics.confusion_counts(positive, predicted, weights)
    sweeps = tuple(
        threshold_sweep(positive[:, k], predictions.scores[:, k], weights)
        for k in range(len(predictions.classes))
    )
    correct = is_correct(predictions.scores, targets, predictions.classes, decision)
    return MetricValues(
        {
            **_ranking_values(sweeps, predictions.classes, names),
            **_decision_values(counts, predictions.classes, names),
            **_overall_values(positive, correct, weights, names),
            **_probability_values(images or scored_images(predictions), predictions.classes, weights, names),
        },
        sweeps,
    )


def _ranking_values(
    sweeps: tuple[ThresholdSweep, ...], classes: tuple[str, ...], names: Collection[str]
) -> ValuesByMetric:
    return {
        (metric.name, class_name): metric.class_function(sweep)
        for metric in METRICS.values()
        if metric.kind == "ranking" and metric.class_function and metric.name in names
        for class_name, sweep in zip(classes, sweeps, strict=True)
    }


def _decision_values(
    counts: ConfusionCounts, classes: tuple[str, ...], names: Collection[str]
) -> ValuesByMetric:
    functions = {
        metric.name: metric.class_function
        for metric in METRICS.values()
        if metric.kind == "decision" and metric.class_function and metric.name in names
    }
    values: ValuesByMetric = {}
    for name, function in (functions | _CLASS_COUNTS).items():
        by_class = function(counts)
        values |= {(name, class_name): by_class[..., k] for k, class_name in enumerate(classes)}
    return values


def _overall_values(
    positive: BoolArray, correct: BoolArray, weights: NDArray[Any] | None, names: Collection[str]
) -> ValuesByMetric:
    return {
        (metric.name, OVERALL): metric.overall_function(positive, correct, weights)
        for metric in METRICS.values()
        if metric.overall_function and metric.name in names
    }


def scored_images(predictions: Predictions) -> dict[str, ScoredImages]:
    """Return the images with the scores of the model ("model") and, if there are any, calibrated ones ("calibrated").

    Every image must have a label.
    """
    positive = predictions.targets()[:, None] == np.arange(len(predictions.classes))
    images = ScoredImages(
        predictions.scores, positive, predictions.scored_columns, predictions.prediction_sets
    )
    if predictions.calibrated_scores is None:
        return {"model": images}
    return {"model": images, "calibrated": replace(images, scores=predictions.calibrated_scores)}


def _probability_values(
    images: Mapping[str, ScoredImages],
    classes: tuple[str, ...],
    weights: NDArray[Any] | None,
    names: Collection[str],
) -> ValuesByMetric:
    """Return the metrics of the scores as probabilities, as far as the predictions have the fields."""
    by_field = {"": images["model"]}
    if "calibrated" in images:
        by_field["calibrated_scores"] = images["calibrated"]
    if images["model"].sets is not None:
        by_field["prediction_sets"] = images["model"]
    values: ValuesByMetric = {}
    for metric in METRICS.values():
        if metric.kind != "probability" or metric.name not in names or metric.field not in by_field:
            continue
        if metric.class_function:
            by_class = metric.class_function(by_field[metric.field], weights)
            values |= {(metric.name, name): by_class[..., k] for k, name in enumerate(classes)}
        if metric.probability_function:
            values[metric.name, OVERALL] = metric.probability_function(by_field[metric.field], weights)
    return values


def average_over_classes(
    values: ValuesByMetric, metric: str, average: Average, classes: tuple[str, ...]
) -> FloatArray:
    """Average the class values of a metric, (…,); NaN wherever that of one of the classes is, and without a class.

    Parameters
    ----------
    values
        Values by metric and class, with the counts "support" and "predicted_positive".
    metric
        Metric whose class values are averaged.
    average
        Average to compute.
    classes
        Classes to average over.
    """
    if not classes:
        return np.full_like(next(iter(values.values())), np.nan, dtype=np.float64)
    by_class = np.stack([values[metric, name] for name in classes])
    if not average.weights:
        return np.asarray(np.mean(by_class, axis=0))
    counts = np.stack([values[average.weights, name] for name in classes])
    return metrics.safe_divide((by_class * counts).sum(axis=0), counts.sum(axis=0))


def macro(values: ValuesByMetric, metric: str, classes: tuple[str, ...]) -> FloatArray:
    """Return the unweighted mean of a metric over classes, (…,); NaN wherever one of them is NaN."""
    return average_over_classes(values, metric, Average(MACRO), classes)


def metric_values(
    predictions: Predictions,
    keys: Sequence[MetricKey],
    *,
    decision: DecisionRule = "argmax",
    weights: NDArray[Any] | None = None,
) -> FloatArray:
    """Compute the requested metrics, (m, …), for each row of ``weights``, (…, n); NaN where a metric is undefined.

    Averages are over the classes that have images, without ``other_class``. An average is NaN if the metric is
    undefined in one of these classes (such as the precision of a class that is never predicted): two models are
    averaged over the same classes or not at all.
    """
    values = compute_metrics(predictions, decision=decision, weights=weights).values
    return np.stack([_metric_value(predictions, key, values) for key in keys])


def _metric_value(predictions: Predictions, key: MetricKey, values: ValuesByMetric) -> FloatArray:
    name, scope = key
    average = next((average for average in METRICS[name].averages if average.scope == scope), None)
    if average is None:
        return values[key] if key in values else np.full_like(next(iter(values.values())), np.nan)
    return average_over_classes(values, METRICS[name].averaged, average, averaged_classes(predictions))


def averaged_classes(predictions: Predictions) -> tuple[str, ...]:
    """Return the classes of averages: those that have images, without ``other_class``."""
    present = set(map(str, predictions.label)) - {predictions.other_class}
    return tuple(name for name in predictions.classes if name in present)
