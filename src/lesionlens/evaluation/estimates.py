"""Estimates of every metric: value, bootstrap interval, and caveats where either is undefined or rests on little."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.core.bootstrap import percentile_interval
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.compute import ValuesByMetric, average_over_classes, averaged_classes
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.lesion_counts import LesionCounts, count_lesions
from lesionlens.evaluation.metric import OVERALL, Average, Metric, MetricKey
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import NUMBER_PLACEHOLDER, Estimate, EstimateCaveat

_MAX_UNDEFINED_FRACTION = 0.05  # of the resamples; more are reported in a caveat
_MIN_LESIONS = 10

_ALL_WRONG = EstimateCaveat("no image of this class: every prediction of it is wrong")
_FEW_LESIONS = EstimateCaveat(f"few lesions ({NUMBER_PLACEHOLDER}): the interval is a rough guide only")
_UNDEFINED_RESAMPLES = EstimateCaveat(
    f"undefined in {NUMBER_PLACEHOLDER} % of the resamples, which the interval excludes"
)
_NO_WEIGHT = EstimateCaveat("no image is predicted to be of any of its classes")
_UNVARIED = EstimateCaveat("the same in (nearly) every resample: there is no interval")


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
            if (metric.name, name) in point
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
        return make_estimate(key, value, resampled, self.confidence, caveats)

    def overall_estimate(self, metric: Metric) -> Estimate:
        """Return the estimate of a metric of all images."""
        key = metric.name, OVERALL
        classes = averaged_classes(self.predictions) if metric.is_average(OVERALL) else ()
        if caveats := self._single_lesion_caveats(metric, classes):
            return Estimate(*key, float(self.point[key]), np.nan, np.nan, caveats)
        return self.estimate(key)

    def estimate(self, key: MetricKey, *caveats: EstimateCaveat) -> Estimate:
        """Return the estimate of a class or of all images."""
        resampled = self.resampled[key] if self.resampled else None
        return make_estimate(key, self.point[key], resampled, self.confidence, caveats)

    def _single_lesion_caveats(self, metric: Metric, classes: Sequence[str]) -> tuple[EstimateCaveat, ...]:
        """Return a caveat if values of ``classes`` rest on one lesion, whose variation is unknown."""
        single = self.lesions.single_lesion_classes(METRICS[metric.averaged], classes)
        names = ", ".join(map(display_name, single))
        return self._if_resampled(f"only one lesion of {names}: there is no interval") if single else ()

    def _if_resampled(self, text: str) -> tuple[EstimateCaveat, ...]:
        return (EstimateCaveat(text),) if self.resampled else ()


def make_estimate(
    key: MetricKey,
    value: FloatArray,
    resampled: FloatArray | None,
    confidence: float,
    caveats: Sequence[EstimateCaveat] = (),
) -> Estimate:
    """Return a value, (), with the percentile interval of its resampled values, (r,), and caveats about it."""
    if resampled is None or np.isnan(value):
        return Estimate(*key, float(value), np.nan, np.nan, tuple(caveats))
    if key[0] in METRICS:
        interval = METRICS[key[0]].interval(value, resampled, confidence=confidence)
    else:  # a predictive value
        interval = percentile_interval(resampled, confidence=confidence)
    if np.isnan(interval.low) and interval.undefined_fraction < 1:
        return Estimate(*key, float(value), np.nan, np.nan, (*caveats, _UNVARIED))
    if interval.undefined_fraction > _MAX_UNDEFINED_FRACTION:
        caveats = (*caveats, _UNDEFINED_RESAMPLES._replace(number=round(100 * interval.undefined_fraction)))
    return Estimate(*key, float(value), interval.low, interval.high, tuple(caveats))
