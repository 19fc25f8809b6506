"""Every measure of one set of predictions in one pass: for each class, and for all images together."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ComparisonError, unknown_name_message
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation import metrics
from lesionlens.evaluation.metrics import ThresholdSweep, threshold_sweep
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule, is_correct, predict_labels

ValuesByMetric = dict[tuple[str, str], FloatArray]

MACRO = "macro"
WEIGHTED = "weighted"
OVERALL = "all"
RANKING_METRICS = ("auc", "average_precision")  # need scores
DECISION_METRICS = ("sensitivity", "specificity", "precision", "f1", "accuracy")  # need a decision
_COUNT_METRICS = {
    name: getattr(metrics, name) for name in (*DECISION_METRICS, "support", "predicted_positive")
}


class MetricValues(NamedTuple):
    """Values by (metric, class or "all"), each (…,), and the sweeps that they were read from.

    Among the values are "support" and "predicted_positive": how many images are of a class, and decided for it.
    """

    values: ValuesByMetric
    sweeps: tuple[ThresholdSweep, ...]


def compute_metrics(
    predictions: Predictions, *, decision: DecisionRule, weights: NDArray[Any] | None = None
) -> MetricValues:
    """Compute every measure for each row of ``weights``, (…, n); every image is labelled.

    Averages are left to `macro` and `weighted`, for the caller knows which classes can be averaged.
    """
    targets = predictions.targets()
    positive = targets[:, None] == np.arange(len(predictions.classes))
    found = metrics.confusion_counts(
        positive, predict_labels(predictions.scores, predictions.classes, decision), weights
    )
    sweeps = tuple(
        threshold_sweep(positive[:, k], predictions.scores[:, k], weights)
        for k in range(len(predictions.classes))
    )
    values: ValuesByMetric = {}
    for k, name in enumerate(predictions.classes):
        values["auc", name] = metrics.auc(sweeps[k])
        values["average_precision", name] = metrics.average_precision(sweeps[k])
    for metric, function in _COUNT_METRICS.items():
        each = function(found)
        values |= {(metric, name): each[..., k] for k, name in enumerate(predictions.classes)}
    hit = is_correct(predictions.scores, targets, predictions.classes, decision)
    return MetricValues(values | _overall_metrics(positive, hit, weights), sweeps)


def macro(values: ValuesByMetric, metric: str, classes: tuple[str, ...]) -> FloatArray:
    """Average a metric over classes, (…,); NaN wherever one of them is."""
    return np.asarray(np.mean([values[metric, name] for name in classes], axis=0))


def weighted(values: ValuesByMetric, metric: str, classes: tuple[str, ...]) -> FloatArray:
    """Average over classes by their numbers of images, (…,); NaN wherever one of them is."""
    return _weighted_mean(values, metric, classes, "support")


def weighted_by_prediction(values: ValuesByMetric, metric: str, classes: tuple[str, ...]) -> FloatArray:
    """Average over classes by the numbers of images decided for them, (…,); NaN wherever one of them is."""
    return _weighted_mean(values, metric, classes, "predicted_positive")


def _weighted_mean(
    values: ValuesByMetric, metric: str, classes: tuple[str, ...], weight_metric: str
) -> FloatArray:
    each, shares = (np.stack([values[what, name] for name in classes]) for what in (metric, weight_metric))
    return metrics.safe_divide((each * shares).sum(axis=0), shares.sum(axis=0))


class AveragedMetric(NamedTuple):
    """A number over classes: its name and what it is of, the metric that is averaged, and how."""

    metric: str
    scope: str
    base_metric: str
    aggregate: Callable[[ValuesByMetric, str, tuple[str, ...]], FloatArray]


AVERAGED_METRICS = (
    *(
        AveragedMetric(name, of, name, how)
        for name in (*RANKING_METRICS, *DECISION_METRICS)
        for of, how in ((MACRO, macro), (WEIGHTED, weighted))
    ),
    AveragedMetric("f1_weighted_by_predictions", WEIGHTED, "f1", weighted_by_prediction),
)
"""Every average that an evaluation gives. ``f1_weighted_by_predictions`` is what scikit-learn gives for truth and
prediction in the wrong order, as Gessert et al. 2019 computed it."""


def _overall_metrics(positive: BoolArray, correct: BoolArray, weights: NDArray[Any] | None) -> ValuesByMetric:
    """Share of all images that are right, and the mean of that share over the classes with images."""
    recall = metrics.sensitivity(metrics.confusion_counts(positive, positive & correct[:, None], weights))
    there = positive.any(axis=0)
    share = metrics.confusion_counts(np.ones((len(correct), 1), dtype=bool), correct[:, None], weights)
    return {
        ("accuracy", OVERALL): metrics.sensitivity(share)[..., 0],
        ("balanced_accuracy", OVERALL): recall[..., there].mean(axis=-1),
    }


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
            raise ComparisonError(
                unknown_name_message("metric", metric, {each for each, _ in averaged | of_all})
            )
        allowed |= set(classes) if metric in metrics else set()
        if of not in allowed:
            raise ComparisonError(unknown_name_message(f"{metric} of", of, allowed))


def _metric_value(predictions: Predictions, key: MetricKey, class_values: ValuesByMetric) -> FloatArray:
    average = next((each for each in AVERAGED_METRICS if (each.metric, each.scope) == key), None)
    return class_values[key] if average is None else _average_over_classes(predictions, average, class_values)


def _average_over_classes(
    predictions: Predictions, average: AveragedMetric, class_values: ValuesByMetric
) -> FloatArray:
    there = set(map(str, predictions.label)) - {predictions.other_class}
    classes = tuple(name for name in predictions.classes if name in there)
    return average.aggregate(class_values, average.base_metric, classes)
