"""Measure the limits of a model on labeled images: temperature, prediction sets, operating points, unknown images."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import (
    confusion_counts,
    negative_predictive_value,
    precision,
    sensitivity,
    specificity,
)
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import (
    threshold_at_sensitivity,
    thresholded_classes,
    youden_threshold,
)
from lesionlens.uncertainty.apply import calibrated_scores
from lesionlens.uncertainty.calibration import (
    COVERAGES,
    Calibration,
    FittedCalibration,
    IntervalEstimate,
    OODRule,
    OperatingPoint,
    PredictionSetRule,
)
from lesionlens.uncertainty.conformal import conformal_quantile, min_images, one_image_per_lesion
from lesionlens.uncertainty.log_scores import to_log_scores
from lesionlens.uncertainty.ood_detectors import OODDetector, fit_detector
from lesionlens.uncertainty.scaling import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    Scaling,
    ScalingMethod,
    bootstrap_temperatures,
    fit_temperature,
    fit_vector_scaling,
)

OPERATING_RULES: dict[str, Callable[[Predictions, str], float]] = {
    "0.5": lambda *_: 0.5,
    "youden": youden_threshold,
    "sensitivity:0.89": partial(threshold_at_sensitivity, sensitivity=0.89),
    "sensitivity:0.95": partial(threshold_at_sensitivity, sensitivity=0.95),
}
DEFAULT_DETECTOR = "knn"
DEFAULT_FALSE_ALARM_RATE = 0.05

CalibrationSplit = Literal["calibration", "validation", "file"]
VALIDATION_CAVEAT = (
    "there is no calibration split: temperature, thresholds and the detector of unknown images come from the "
    "validation split, which selected the model, so that they are optimistically biased, and no coverage of prediction "
    "sets is promised; train with data.calibration=0.1, or with train.checkpoint=last and without early stopping"
)


def calibrating_split(splits: Container[str]) -> Literal["calibration", "validation"]:
    """Return the split that calibrates a model: ``calibration`` if there is one, otherwise ``validation``."""
    return "calibration" if "calibration" in splits else "validation"


@dataclass(frozen=True)
class CalibrationOptions:
    """How a model is calibrated.

    Attributes
    ----------
    method
        ``temperature``, or ``vector`` (a factor and an offset per class).
    detector
        Detector of unknown images.
    false_alarm_rate
        Fraction of images like those of the calibration that the detector flags.
    n_resamples
        Number of bootstrap resamples of the lesions.
    seed
        Random seed of the bootstrap, and of the choice of one image per lesion.
    """

    method: ScalingMethod = "temperature"
    detector: str = DEFAULT_DETECTOR
    false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE
    n_resamples: int = 1000
    seed: int = 0


def fit_calibration(
    predictions: Predictions,
    *,
    split: CalibrationSplit,
    selected_model: bool | None = None,
    features: NDArray[np.float32] | None = None,
    options: CalibrationOptions | None = None,
) -> FittedCalibration:
    """Calibrate a model from its predictions of labeled images that did not train it.

    Parameters
    ----------
    predictions
        Predictions; images without a label are ignored.
    split
        Where the images come from.
    selected_model
        Whether the images selected the model, so that no coverage of prediction sets is promised; default: if they are
        of the split ``validation``.
    features
        Features of each image, (n, f), for the detector of unknown images; None: no detector.
    options
        Method, detector and bootstrap; default: those of ``CalibrationOptions``.

    Raises
    ------
    PredictionsError
        The labeled images are of fewer than two classes or lesions.
    """
    options = options or CalibrationOptions()
    labeled, features = _select_labeled(predictions, features)
    independent = labeled.has_independent_scores
    columns = labeled.scored_columns
    log_scores = to_log_scores(labeled.scores[:, columns], independent=independent)
    targets = (labeled.targets()[:, None] == np.array(columns)).astype(np.float64)
    scaling, temperature, scaling_caveats = _fit_scaling(
        log_scores, targets, labeled, independent=independent, options=options
    )
    scaled = replace(labeled, scores=calibrated_scores(labeled, scaling, independent=independent))
    rules, coverage_caveats = _prediction_set_rules(
        scaled,
        selected_model=split == "validation" if selected_model is None else selected_model,
        seed=options.seed,
    )
    detector, ood_rule, ood_caveats = _fit_ood(labeled, features, options)
    calibration = Calibration(
        classes=labeled.classes,
        independent=independent,
        split=split,
        n_images=len(labeled),
        n_lesions=len(np.unique(labeled.lesion_id)),
        lesions_by_class={name: _n_lesions(labeled, labeled.label == name) for name in labeled.classes},
        method=options.method,
        scale=scaling.scale,
        bias=scaling.bias,
        temperature=temperature,
        prediction_sets=tuple(rules),
        operating_points=tuple(_operating_points(scaled, options)),
        ood=ood_rule,
        caveats=(*coverage_caveats, *scaling_caveats, *ood_caveats),
    )
    return FittedCalibration(calibration, detector)


def _select_labeled(
    predictions: Predictions, features: NDArray[np.float32] | None
) -> tuple[Predictions, NDArray[np.float32] | None]:
    has_label = predictions.label != ""
    labels = sorted(set(map(str, predictions.label[has_label])))
    if len(labels) < 2:
        got = f"only images of {labels[0]}" if labels else "no image with a label"
        raise PredictionsError(
            f"a model cannot be calibrated with {got}; images of two or more classes are required"
        )
    return predictions.select(has_label), None if features is None else features[has_label]


def _n_lesions(predictions: Predictions, mask: NDArray[np.bool_]) -> int:
    return len(np.unique(predictions.lesion_id[mask]))


def _fit_scaling(
    log_scores: FloatArray,
    targets: FloatArray,
    labeled: Predictions,
    *,
    independent: bool,
    options: CalibrationOptions,
) -> tuple[Scaling, IntervalEstimate, list[str]]:
    """Return the function of calibrated scores, the temperature with its interval, and caveats."""
    caveats: list[str] = []
    value = float(fit_temperature(log_scores, targets, independent=independent))
    resampled = bootstrap_temperatures(
        log_scores,
        targets,
        labeled.lesion_id,
        independent=independent,
        n_resamples=options.n_resamples,
        seed=options.seed,
    )
    interval = percentile_interval(resampled)
    if np.ptp(log_scores, axis=0).max() == 0 and (independent or np.ptp(log_scores) == 0):
        value, interval = 1.0, percentile_interval(np.array([np.nan]))
        caveats.append("all scores are equal, so that the temperature is undefined and set to 1")
    elif not MIN_TEMPERATURE * 1.01 < value < MAX_TEMPERATURE * 0.99:
        caveats.append(
            f"the temperature is at its limit of {value:g}: "
            + (
                "every image is classified correctly"
                if value < 1
                else "the scores do not tell the classes apart"
            )
        )
    temperature = IntervalEstimate(value=value, low=interval.low, high=interval.high)
    if options.method == "vector":
        return fit_vector_scaling(log_scores, targets, independent=independent), temperature, caveats
    k = log_scores.shape[1]
    return Scaling((1 / value,) * k, (0.0,) * k), temperature, caveats


def _prediction_set_rules(
    scaled: Predictions, *, selected_model: bool, seed: int
) -> tuple[list[PredictionSetRule], list[str]]:
    """Return the rule of each coverage, from one image per lesion, and a caveat if there are too few lesions.

    Images that selected the model promise no coverage: there are no rules.
    """
    if selected_model:
        return [], [VALIDATION_CAVEAT]
    sample = scaled.select(one_image_per_lesion(scaled.lesion_id, seed=seed))
    nonconformity = 1 - sample.scores[np.arange(len(sample)), sample.targets()]
    rules = [
        PredictionSetRule(
            coverage=coverage,
            quantile=conformal_quantile(nonconformity, coverage),
            class_quantiles={
                name: conformal_quantile(nonconformity[sample.label == name], coverage)
                for name in scaled.classes
            },
        )
        for coverage in COVERAGES
    ]
    caveats = [
        f"prediction sets for a coverage of {rule.coverage:.0%} contain every class: {len(sample)} lesions are fewer "
        f"than the {min_images(rule.coverage)} that it needs"
        for rule in rules
        if np.isinf(rule.quantile)
    ]
    return rules, caveats


def _operating_points(scaled: Predictions, options: CalibrationOptions) -> list[OperatingPoint]:
    """Return each rule of each class that has images, if others have some as well."""
    names = [name for name in thresholded_classes(scaled) if 0 < (scaled.label == name).sum() < len(scaled)]
    points = [(name, rule, tune(scaled, name)) for name in names for rule, tune in OPERATING_RULES.items()]
    if not points:
        return []
    positive = np.column_stack([scaled.label == name for name, _, _ in points])
    columns = [scaled.classes.index(name) for name, _, _ in points]
    predicted = scaled.scores[:, columns] >= np.array([threshold for _, _, threshold in points])
    estimates = _achieved(scaled, positive, predicted, options)
    return [
        OperatingPoint(
            class_name=name,
            rule=rule,
            threshold=threshold,
            **estimates[index],
            n_lesions=_n_lesions(scaled, positive[:, index]),
            n_other_lesions=_n_lesions(scaled, ~positive[:, index]),
        )
        for index, (name, rule, threshold) in enumerate(points)
    ]


def _achieved(
    scaled: Predictions, positive: BoolArray, predicted: BoolArray, options: CalibrationOptions
) -> list[dict[str, IntervalEstimate]]:
    """Return sensitivity, specificity, PPV and NPV of each column of decisions, (n, p), with intervals over lesions."""
    metrics = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": precision,
        "npv": negative_predictive_value,
    }
    weights = cluster_bootstrap_weights(scaled.lesion_id, n_resamples=options.n_resamples, seed=options.seed)
    chunks = [confusion_counts(positive, predicted, chunk) for chunk in weights]
    point = confusion_counts(positive, predicted)
    values = {name: metric(point) for name, metric in metrics.items()}
    resampled = {
        name: np.concatenate([metric(counts) for counts in chunks]) for name, metric in metrics.items()
    }
    return [
        {name: _make_interval(values[name][index], resampled[name][:, index]) for name in metrics}
        for index in range(positive.shape[1])
    ]


def _make_interval(value: float, resampled: FloatArray) -> IntervalEstimate:
    interval = percentile_interval(resampled)
    return IntervalEstimate(value=float(value), low=interval.low, high=interval.high)


def _fit_ood(
    labeled: Predictions, features: NDArray[np.float32] | None, options: CalibrationOptions
) -> tuple[OODDetector | None, OODRule | None, list[str]]:
    """Return the detector and its score threshold, or the reason why there is none."""
    if features is None:
        return None, None, []
    try:
        detector = fit_detector(
            options.detector, features, labeled.lesion_id, labeled.label, seed=options.seed
        )
    except DataError as error:
        return None, None, [f"there is no detector of unknown images: {error}"]
    rule = OODRule(
        detector=options.detector,
        false_alarm_rate=options.false_alarm_rate,
        cutoff=detector.cutoff(options.false_alarm_rate),
        n_lesions=_n_lesions(labeled, np.ones(len(labeled), dtype=np.bool_)),
    )
    return detector, rule, []
