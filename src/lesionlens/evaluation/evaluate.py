"""Evaluate predictions against the ground truth: every metric with a confidence interval over lesions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.core.bootstrap import percentile_interval
from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.bootstrap import BootstrapMetrics, bootstrap_metrics
from lesionlens.evaluation.caveats import dataset_caveats, leakage_caveats
from lesionlens.evaluation.compute import (
    MetricValues,
    ValuesByMetric,
    average_over_classes,
    averaged_classes,
    compute_metrics,
)
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.lesion_counts import LesionCounts, count_lesions
from lesionlens.evaluation.metrics import ClassCurves, compute_class_curves
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS, OVERALL, Average, Metric, MetricKey
from lesionlens.evaluation.result import NUMBER_PLACEHOLDER, Estimate, EstimateCaveat, EvaluationResult
from lesionlens.evaluation.thresholds import DecisionRule, Thresholds, check_decision_rule, predict_labels

__all__ = ["Estimate", "EvaluationResult", "evaluate"]

_MAX_UNDEFINED_FRACTION = 0.05  # of the resamples; more are reported in a caveat
_MIN_LESIONS = 10

_ALL_WRONG = EstimateCaveat("no image of this class: every prediction of it is wrong")
_FEW_LESIONS = EstimateCaveat(f"few lesions ({NUMBER_PLACEHOLDER}): the interval is a rough guide only")
_UNDEFINED_RESAMPLES = EstimateCaveat(
    f"undefined in {NUMBER_PLACEHOLDER} % of the resamples, which the interval excludes"
)
_NO_WEIGHT = EstimateCaveat("no image is predicted to be of any of its classes")
_UNVARIED = EstimateCaveat("the same in (nearly) every resample: there is no interval")


def evaluate(
    predictions: Predictions,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
    task: str = "all",
) -> EvaluationResult:
    """Evaluate predictions; each interval is a percentile bootstrap over lesions.

    Parameters
    ----------
    predictions
        Predictions with labels; images without a label are excluded and counted in a caveat.
    n_resamples
        Number of bootstrap resamples; 0 computes no intervals and no bands.
    seed
        Random seed of the bootstrap.
    confidence
        Confidence level of the intervals, between 0 and 1.
    decision
        "argmax": the class with the largest score. "isic": every class whose score exceeds 0.5, as in the official
        ISIC scorer. `Thresholds`: every class whose score reaches its threshold.
    task
        "all", or the binary task to evaluate (see `to_binary_task`): "melanoma" is melanoma against the rest,
        "seborrheic_keratosis/nevus" one class against another.

    Raises
    ------
    PredictionsError
        No image has a label, an option is out of its range, or thresholds or a task do not match the classes.
    TypeError
        ``predictions`` is not an object of type Predictions, but for example a path.
    """
    if not isinstance(predictions, Predictions):
        raise TypeError(
            f"predictions is an object of type {type(predictions).__name__}. Read a file first: "
            "evaluate(read_predictions(path)), with read_predictions of lesionlens.evaluation.predictions_io"
        )
    _check_options(n_resamples, confidence)
    predictions, task_classes, task_caveats = to_binary_task(predictions, task)
    check_decision_rule(decision, predictions)
    labeled = _select_labeled(predictions)
    thresholds = decision if isinstance(decision, Thresholds) else None
    single_label = _single_label_rule(labeled, thresholds)
    point = compute_metrics(labeled, decision=decision)
    resampled = None
    if n_resamples:
        resampled = bootstrap_metrics(labeled, n_resamples=n_resamples, seed=seed, decision=decision)
    resampled_values = None if resampled is None else resampled.values
    support, lesion_support = _class_support(labeled)
    estimates = build_estimates(labeled, point.values, resampled_values, confidence=confidence)
    return EvaluationResult(
        classes=labeled.classes,
        estimates=estimates,
        confusion_matrix=_confusion_matrix(labeled, single_label),
        support=support,
        lesion_support=lesion_support,
        n_images=len(labeled),
        n_lesions=len(np.unique(labeled.lesion_id)),
        curves=_curves_by_class(labeled, point, resampled, estimates, confidence),
        caveats=(
            *task_caveats,
            *dataset_caveats(predictions, uses_argmax=single_label == "argmax"),
            *leakage_caveats(labeled, thresholds),
        ),
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        decision="thresholds" if isinstance(decision, Thresholds) else decision,
        task=task_classes,
        thresholds=dict(thresholds.values) if thresholds else {},
        threshold_rule=thresholds.rule if thresholds else "",
    )


def build_estimates(
    predictions: Predictions, point: ValuesByMetric, resampled: ValuesByMetric | None, *, confidence: float
) -> tuple[Estimate, ...]:
    """Return every estimate: per class, then averaged over classes, then of all images.

    Averages are over the classes in which the metric is defined; their caveat lists the other classes. Resamples in
    which the metric is undefined for one of these classes are excluded from the interval. An average has no interval if
    one of its classes has none because its value rests on one lesion.
    """
    builder = _EstimateBuilder(predictions, point, resampled, confidence, count_lesions(predictions))
    metrics = METRICS.values()
    return (
        *(
            builder.class_estimate(metric, name)
            for metric in metrics
            if metric.class_function
            for name in predictions.classes
        ),
        *(builder.average_estimate(metric, average) for metric in metrics for average in metric.averages),
        *(builder.overall_estimate(metric) for metric in metrics if (metric.name, OVERALL) in point),
    )


class _EstimateBuilder(NamedTuple):
    """Values from which estimates are built: of the images themselves and of each resample."""

    predictions: Predictions
    point: ValuesByMetric
    resampled: ValuesByMetric | None
    confidence: float
    lesions: LesionCounts

    def class_estimate(self, metric: Metric, class_name: str) -> Estimate:
        """Return the estimate of a metric for one class."""
        key = metric.name, class_name
        of_class = self.predictions.label == class_name
        n_positive, n_negative = int(of_class.sum()), int((~of_class).sum())
        if "predictions" in metric.requires and not n_positive and self.point[key] == 0:
            return Estimate(*key, 0.0, np.nan, np.nan, (_ALL_WRONG,))
        if np.isnan(self.point[key]):
            reason = metric.undefined_reason(n_positive=n_positive, n_negative=n_negative)
            return self.estimate(key, EstimateCaveat(reason))
        n_lesions, n_other_lesions = self.lesions.of_class[class_name], self.lesions.of_others[class_name]
        if reason := metric.unvaried_reason(n_lesions=n_lesions, n_other_lesions=n_other_lesions):
            return Estimate(*key, float(self.point[key]), np.nan, np.nan, self._if_resampled(reason))
        if self.resampled and 0 < n_lesions < _MIN_LESIONS and metric.depends_on_class_images:
            return self.estimate(key, _FEW_LESIONS._replace(number=n_lesions))
        return self.estimate(key)

    def average_estimate(self, metric: Metric, average: Average) -> Estimate:
        """Return the estimate of an average over the classes in which the metric is defined."""
        key, all_classes = (metric.name, average.scope), self.predictions.classes
        classes = tuple(
            name
            for name in averaged_classes(self.predictions)
            if not np.isnan(self.point[metric.averaged, name])
        )
        if not classes:
            return Estimate(*key, np.nan, np.nan, np.nan, (EstimateCaveat("not defined for any class"),))
        caveats = []
        if excluded := [display_name(name) for name in all_classes if name not in classes]:
            text = f"over {len(classes)} of {len(all_classes)} classes, without {', '.join(excluded)}"
            caveats.append(EstimateCaveat(text))
        value = average_over_classes(self.point, metric.averaged, average, classes)
        if np.isnan(value):
            return Estimate(*key, np.nan, np.nan, np.nan, (*caveats, _NO_WEIGHT))
        if single := self._single_lesion_caveats(metric, classes):
            return Estimate(*key, float(value), np.nan, np.nan, (*caveats, *single))
        resampled = (
            average_over_classes(self.resampled, metric.averaged, average, classes)
            if self.resampled
            else None
        )
        return _make_estimate(key, value, resampled, self.confidence, caveats)

    def overall_estimate(self, metric: Metric) -> Estimate:
        """Return the estimate of a metric of all images."""
        key = metric.name, OVERALL
        if caveats := self._single_lesion_caveats(metric, averaged_classes(self.predictions)):
            return Estimate(*key, float(self.point[key]), np.nan, np.nan, caveats)
        return self.estimate(key)

    def estimate(self, key: MetricKey, *caveats: EstimateCaveat) -> Estimate:
        """Return the estimate of a class or of all images."""
        resampled = self.resampled[key] if self.resampled else None
        return _make_estimate(key, self.point[key], resampled, self.confidence, caveats)

    def _single_lesion_caveats(self, metric: Metric, classes: Sequence[str]) -> tuple[EstimateCaveat, ...]:
        """Return a caveat if values of ``classes`` rest on one lesion, whose variation is unknown."""
        single = self.lesions.single_lesion_classes(METRICS[metric.averaged], classes)
        names = ", ".join(map(display_name, single))
        return self._if_resampled(f"only one lesion of {names}: there is no interval") if single else ()

    def _if_resampled(self, text: str) -> tuple[EstimateCaveat, ...]:
        return (EstimateCaveat(text),) if self.resampled else ()


def _make_estimate(
    key: MetricKey,
    value: FloatArray,
    resampled: FloatArray | None,
    confidence: float,
    caveats: Sequence[EstimateCaveat],
) -> Estimate:
    if resampled is None or np.isnan(value):
        return Estimate(*key, float(value), np.nan, np.nan, tuple(caveats))
    interval = percentile_interval(resampled, confidence=confidence)
    if np.isnan(interval.low) and interval.undefined_fraction < 1:
        return Estimate(*key, float(value), np.nan, np.nan, (*caveats, _UNVARIED))
    if interval.undefined_fraction > _MAX_UNDEFINED_FRACTION:
        caveats = (*caveats, _UNDEFINED_RESAMPLES._replace(number=round(100 * interval.undefined_fraction)))
    return Estimate(*key, float(value), interval.low, interval.high, tuple(caveats))


def _check_options(n_resamples: int, confidence: float) -> None:
    if n_resamples < 0 or not 0 < confidence < 1:
        raise PredictionsError(
            f"n_resamples={n_resamples} and confidence={confidence}: n_resamples must be 0 or more, and confidence "
            "between 0 and 1 (0.95 for 95 %)"
        )


def _select_labeled(predictions: Predictions) -> Predictions:
    labeled = predictions.label != ""
    if not labeled.any():
        raise PredictionsError(
            f"none of the {len(predictions)} images has a label, so there is nothing to evaluate. Pass a table of "
            "labels: --labels FILE (ground_truth= in Python), a CSV with image,label[,lesion_id] or an official "
            "ground truth."
        )
    return predictions.select(labeled)


def _single_label_rule(labeled: Predictions, thresholds: Thresholds | None) -> DecisionRule:
    """Return the rule of the confusion matrix, in which every image has exactly one predicted class."""
    if thresholds and len(labeled.classes) == len(thresholds.values) + 1 == 2:
        return thresholds
    return "argmax"  # several thresholds may predict several classes for an image, or none


def _class_support(labeled: Predictions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    lesions_by_class = [labeled.lesion_id[labeled.label == name] for name in labeled.classes]
    return tuple(map(len, lesions_by_class)), tuple(len(np.unique(lesions)) for lesions in lesions_by_class)


def _confusion_matrix(labeled: Predictions, decision: DecisionRule) -> tuple[tuple[int, ...], ...]:
    k = len(labeled.classes)
    predicted = predict_labels(labeled.scores, labeled.classes, decision).argmax(axis=1)
    cells = np.bincount(labeled.targets() * k + predicted, minlength=k * k)
    return tuple(tuple(int(cell) for cell in row) for row in cells.reshape(k, k))


def _curves_by_class(
    labeled: Predictions,
    point: MetricValues,
    resampled: BootstrapMetrics | None,
    estimates: Sequence[Estimate],
    confidence: float,
) -> dict[str, ClassCurves]:
    """Return the curves of each class that has an AUC, with a band if that has an interval."""
    has_interval = {
        estimate.scope: not np.isnan(estimate.low) for estimate in estimates if estimate.metric == "auc"
    }
    return {
        name: compute_class_curves(
            point.sweeps[k],
            resampled.tpr_curves[k] if resampled and has_interval[name] else None,
            confidence=confidence,
        )
        for k, name in enumerate(labeled.classes)
        if not np.isnan(point.values["auc", name])
    }
