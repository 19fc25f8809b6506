"""Measure predictions against the truth: every number with an interval over lesions."""

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.bootstrap import BootstrapMetrics, bootstrap_metrics, percentile_interval
from lesionlens.evaluation.caveats import dataset_caveats
from lesionlens.evaluation.compute import (
    AVERAGED_METRICS,
    DECISION_METRICS,
    OVERALL,
    RANKING_METRICS,
    AveragedMetric,
    MetricValues,
    ValuesByMetric,
    compute_metrics,
)
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.metrics import ClassCurves, compute_class_curves
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import CAVEAT_SEPARATOR, Estimate, EvaluationResult
from lesionlens.evaluation.thresholds import DecisionRule, Thresholds, check_decision_rule, predict_labels

__all__ = ["Estimate", "EvaluationResult", "evaluate"]
_MAX_UNDEFINED_FRACTION = 0.05  # share of replicates without a value from which a note says so
_MIN_LESIONS = 10


def build_estimates(
    predictions: Predictions, point: ValuesByMetric, resampled: ValuesByMetric | None, *, confidence: float
) -> tuple[Estimate, ...]:
    """Give every estimate: each metric of each class and averaged over classes, then those of all images.

    Every average, macro or weighted, is over the classes in which the metric is defined, leaving out the rest;
    its note names the classes that are missing. A replicate in which the metric is not defined in all of them
    is dropped.
    """
    found = []
    for metric in (*RANKING_METRICS, *DECISION_METRICS):
        found += [
            _estimate_for_class(predictions, metric, name, point, resampled, confidence)
            for name in predictions.classes
        ]
    found += [
        _estimate_average(predictions, average, point, resampled, confidence) for average in AVERAGED_METRICS
    ]
    for metric in ("accuracy", "balanced_accuracy"):
        key = metric, OVERALL
        found.append(_make_estimate(key, point[key], resampled[key] if resampled else None, confidence, ""))
    return tuple(found)


def _estimate_for_class(
    predictions: Predictions,
    metric: str,
    class_name: str,
    point: ValuesByMetric,
    resampled: ValuesByMetric | None,
    confidence: float,
) -> Estimate:
    own = predictions.label == class_name
    lesions = len(np.unique(predictions.lesion_id[own]))
    if metric == "precision" and not own.any() and point[metric, class_name] == 0:
        return Estimate(
            metric,
            class_name,
            0.0,
            np.nan,
            np.nan,
            "no image of this class: whatever is decided for it is wrong",
        )
    if np.isnan(point[metric, class_name]):
        note = _undefined_reason(metric, int(own.sum()), len(own))
    elif 0 < lesions < _MIN_LESIONS and metric not in ("specificity", "accuracy"):
        note = f"few lesions ({lesions}): take the interval as a rough guide"
    else:
        note = ""
    key = metric, class_name
    return _make_estimate(key, point[key], resampled[key] if resampled else None, confidence, note)


def _undefined_reason(metric: str, n_positive: int, n_total: int) -> str:
    if n_positive == 0 and metric != "precision":
        return "no image of this class"
    if n_positive == n_total and metric in ("auc", "specificity"):
        return "no image of another class"
    return "no image is decided for this class"


def _estimate_average(
    predictions: Predictions,
    average: AveragedMetric,
    point: ValuesByMetric,
    resampled: ValuesByMetric | None,
    confidence: float,
) -> Estimate:
    key, metric = (average.metric, average.scope), average.base_metric
    asked = [name for name in predictions.classes if name != predictions.other_class]
    there = set(map(str, predictions.label))
    classes = tuple(name for name in asked if name in there and not np.isnan(point[metric, name]))
    if not classes:
        return Estimate(*key, np.nan, np.nan, np.nan, "not defined for any class")
    missing = [name for name in predictions.classes if name not in classes]
    note = f"over {len(classes)} of {len(predictions.classes)} classes, without {', '.join(map(display_name, missing))}"
    drawn = average.aggregate(resampled, metric, classes) if resampled else None
    return _make_estimate(
        key, average.aggregate(point, metric, classes), drawn, confidence, note if missing else ""
    )


def _make_estimate(
    key: tuple[str, str], value: FloatArray, resampled: FloatArray | None, confidence: float, caveat: str
) -> Estimate:
    if resampled is None or np.isnan(value):
        return Estimate(*key, float(value), np.nan, np.nan, caveat)
    interval = percentile_interval(resampled, confidence=confidence)
    remarks = [caveat] if caveat else []
    if interval.undefined_fraction > _MAX_UNDEFINED_FRACTION:
        remarks.append(
            f"cannot be computed in {interval.undefined_fraction:.0%} of the resamples, which the interval leaves out"
        )
    if interval.low == interval.high:
        remarks.append("the same in every resample: the interval is too narrow to trust")
    return Estimate(*key, float(value), interval.low, interval.high, CAVEAT_SEPARATOR.join(remarks))


def evaluate(
    predictions: Predictions,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
    task: str = "all",
) -> EvaluationResult:
    """Measure predictions; each interval is a percentile bootstrap over lesions.

    Parameters
    ----------
    predictions
        With labels; images without one are left out, and a note says how many.
    n_resamples
        Bootstrap replicates; 0 gives the numbers alone, without intervals and bands.
    seed
        Of the bootstrap.
    confidence
        Of the intervals, between 0 and 1.
    decision
        "argmax": an image is of the class with the largest score. "isic": as the official ISIC scorer, the
        numbers of a class count every image whose score for it exceeds 0.5. `Thresholds`: every image whose
        score reaches that of the class.
    task
        "all", or the one question that is measured (see `to_binary_task`): "melanoma" is melanoma against the
        rest, "seborrheic_keratosis/nevus" the one against the other.

    Raises
    ------
    PredictionsError
        No image has a label, an option is out of its range, or thresholds or a task do not fit the classes.
    """
    _check_options(n_resamples, confidence)
    predictions, left_out = to_binary_task(predictions, task)
    check_decision_rule(decision, predictions)
    known = _select_labeled(predictions)
    thresholds = decision if isinstance(decision, Thresholds) else None
    one_each: DecisionRule = "argmax"  # several thresholds may give an image several classes, or none
    if thresholds and len(known.classes) == len(thresholds.values) + 1 == 2:
        one_each = thresholds
    point = compute_metrics(known, decision=decision)
    again = (
        bootstrap_metrics(known, n_resamples=n_resamples, seed=seed, decision=decision)
        if n_resamples
        else None
    )
    support, lesion_support = _class_support(known)
    return EvaluationResult(
        classes=known.classes,
        estimates=build_estimates(
            known, point.values, again.values if again else None, confidence=confidence
        ),
        confusion_matrix=_confusion_matrix(known, one_each),
        support=support,
        lesion_support=lesion_support,
        n_images=len(known),
        n_lesions=len(np.unique(known.lesion_id)),
        curves=_curves_by_class(known, point, again, confidence),
        caveats=(
            *left_out,
            *dataset_caveats(predictions, uses_argmax=one_each == "argmax"),
            *_leakage_caveat(known, thresholds),
        ),
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        decision="thresholds" if isinstance(decision, Thresholds) else decision,
        task=task,
        thresholds=dict(thresholds.values) if thresholds else {},
        threshold_rule=thresholds.rule if thresholds else "",
    )


def _check_options(n_resamples: int, confidence: float) -> None:
    if n_resamples < 0 or not 0 < confidence < 1:
        raise PredictionsError(
            f"n_resamples={n_resamples} and confidence={confidence}: n_resamples is 0 or more, "
            "the confidence lies between 0 and 1 (0.95 for 95 %)"
        )


def _select_labeled(predictions: Predictions) -> Predictions:
    known = predictions.label != ""
    if not known.any():
        raise PredictionsError(
            f"none of the {len(predictions)} images has a label, so nothing can be measured. Give a "
            "table of labels: --labels FILE (ground_truth= in Python), a CSV with image,label[,lesion_id] or an "
            "official ground truth."
        )
    return predictions.select(known)


def _class_support(labeled: Predictions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    own = [labeled.lesion_id[labeled.label == name] for name in labeled.classes]
    return tuple(len(each) for each in own), tuple(len(np.unique(each)) for each in own)


def _leakage_caveat(labeled: Predictions, thresholds: Thresholds | None) -> tuple[str, ...]:
    shared = set(map(str, labeled.lesion_id)) & thresholds.tuned_on if thresholds else ()
    if not shared:
        return ()
    return (
        f"{len(shared)} of the measured lesions also chose the thresholds, so what depends on these is too good.",
    )


def _confusion_matrix(labeled: Predictions, decision: DecisionRule) -> tuple[tuple[int, ...], ...]:
    k = len(labeled.classes)
    column = predict_labels(labeled.scores, labeled.classes, decision).argmax(axis=1)
    cells = np.bincount(labeled.targets() * k + column, minlength=k * k)
    return tuple(tuple(int(cell) for cell in row) for row in cells.reshape(k, k))


def _curves_by_class(
    labeled: Predictions, point: MetricValues, resampled: BootstrapMetrics | None, confidence: float
) -> dict[str, ClassCurves]:
    return {
        name: compute_class_curves(
            point.sweeps[k], resampled.tpr_curves[k] if resampled else None, confidence=confidence
        )
        for k, name in enumerate(labeled.classes)
        if not np.isnan(point.values["auc", name])
    }
