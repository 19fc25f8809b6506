"""Numbers, replicates and the reasons for what is missing, put together into estimates."""

import numpy as np

from lesionlens.evaluation.evaluation import REMARKS, Estimate
from lesionlens.evaluation.intervals import percentile_interval
from lesionlens.evaluation.measures import ALL, AVERAGES, DECIDED, RANKING, Average, Values
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Floats
from lesionlens.evaluation.wording import readable

_TOO_MANY = 0.05  # share of replicates without a value from which a note says so
_FEW_LESIONS = 10


def estimates(
    predictions: Predictions, point: Values, replicates: Values | None, *, confidence: float
) -> tuple[Estimate, ...]:
    """Give every estimate: each metric of each class and averaged over classes, then those of all images.

    Every average, macro or weighted, is over the classes in which the metric is defined, leaving out the rest;
    its note names the classes that are missing. A replicate in which the metric is not defined in all of them
    is dropped.
    """
    found = []
    for metric in (*RANKING, *DECIDED):
        found += [
            _of_class(predictions, metric, name, point, replicates, confidence)
            for name in predictions.classes
        ]
    found += [_averaged(predictions, average, point, replicates, confidence) for average in AVERAGES]
    for metric in ("accuracy", "balanced_accuracy"):
        key = metric, ALL
        found.append(_estimate(key, point[key], replicates[key] if replicates else None, confidence, ""))
    return tuple(found)


def _of_class(
    predictions: Predictions,
    metric: str,
    name: str,
    point: Values,
    replicates: Values | None,
    confidence: float,
) -> Estimate:
    own = predictions.label == name
    lesions = len(np.unique(predictions.lesion_id[own]))
    if metric == "precision" and not own.any() and point[metric, name] == 0:
        return Estimate(
            metric, name, 0.0, np.nan, np.nan, "no image of this class: whatever is decided for it is wrong"
        )
    if np.isnan(point[metric, name]):
        note = _reason(metric, int(own.sum()), len(own))
    elif 0 < lesions < _FEW_LESIONS and metric not in ("specificity", "accuracy"):
        note = f"few lesions ({lesions}): take the interval as a rough guide"
    else:
        note = ""
    key = metric, name
    return _estimate(key, point[key], replicates[key] if replicates else None, confidence, note)


def _reason(metric: str, own: int, total: int) -> str:
    if own == 0 and metric != "precision":
        return "no image of this class"
    if own == total and metric in ("auc", "specificity"):
        return "no image of another class"
    return "no image is decided for this class"


def _averaged(
    predictions: Predictions, average: Average, point: Values, replicates: Values | None, confidence: float
) -> Estimate:
    key, metric = (average.metric, average.of), average.averaged
    asked = [name for name in predictions.classes if name != predictions.rest]
    there = set(map(str, predictions.label))
    classes = tuple(name for name in asked if name in there and not np.isnan(point[metric, name]))
    if not classes:
        return Estimate(*key, np.nan, np.nan, np.nan, "not defined for any class")
    missing = [name for name in predictions.classes if name not in classes]
    note = f"over {len(classes)} of {len(predictions.classes)} classes, without {', '.join(map(readable, missing))}"
    drawn = average.how(replicates, metric, classes) if replicates else None
    return _estimate(key, average.how(point, metric, classes), drawn, confidence, note if missing else "")


def _estimate(
    key: tuple[str, str], value: Floats, replicates: Floats | None, confidence: float, note: str
) -> Estimate:
    if replicates is None or np.isnan(value):
        return Estimate(*key, float(value), np.nan, np.nan, note)
    interval = percentile_interval(replicates, confidence=confidence)
    remarks = [note] if note else []
    if interval.undefined > _TOO_MANY:
        remarks.append(
            f"cannot be computed in {interval.undefined:.0%} of the resamples, which the interval leaves out"
        )
    if interval.low == interval.high:
        remarks.append("the same in every resample: the interval is too narrow to trust")
    return Estimate(*key, float(value), interval.low, interval.high, REMARKS.join(remarks))
