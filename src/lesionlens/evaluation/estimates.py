"""Numbers, replicates and the reasons for what is missing, put together into estimates."""

import numpy as np

from lesionlens.evaluation.evaluation import CAVEAT_SEPARATOR, Estimate
from lesionlens.evaluation.intervals import percentile_interval
from lesionlens.evaluation.measures import OVERALL, AVERAGED_METRICS, DECISION_METRICS, RANKING_METRICS, AveragedMetric, ValuesByMetric
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import FloatArray
from lesionlens.evaluation.wording import display_name

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
    found += [_estimate_average(predictions, average, point, resampled, confidence) for average in AVERAGED_METRICS]
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
            metric, class_name, 0.0, np.nan, np.nan, "no image of this class: whatever is decided for it is wrong"
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
    predictions: Predictions, average: AveragedMetric, point: ValuesByMetric, resampled: ValuesByMetric | None, confidence: float
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
    return _make_estimate(key, average.aggregate(point, metric, classes), drawn, confidence, note if missing else "")


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
