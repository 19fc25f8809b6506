"""Curves of the scores as probabilities: reliability, risk against coverage, and net benefit, with bootstrap bands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import FloatArray
from lesionlens.evaluation.metrics import CurveValues, ThresholdSweep, threshold_sweep, to_curve
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.score_quality import ScoredImages, bin_rates, risk_by_coverage

ANSWERED_FRACTIONS = np.linspace(0.05, 1, 96)
"""Fractions of the images at which the risk is computed."""

PROBABILITY_THRESHOLDS = np.linspace(0.01, 0.99, 99)
"""Threshold probabilities at which the net benefit is computed."""

LARGEST_SCORE = ""  # in place of a class: the score of the predicted class

CurveKey = tuple[str, str, str]
"""Kind of a curve (a field of `ScoreCurves`), its scores ("model" or "calibrated"), and its class."""


class BandedCurve(NamedTuple):
    """A curve, and its pointwise bootstrap interval; ``low`` and ``high`` are empty without a bootstrap."""

    x: CurveValues
    y: CurveValues
    low: CurveValues = ()
    high: CurveValues = ()


CurvesByScores = dict[str, BandedCurve]
"""Curves of the scores of the model and, with a calibration, of the calibrated scores."""


@dataclass(frozen=True)
class ScoreCurves:
    """Curves of one set of predictions.

    Attributes
    ----------
    reliability
        By class, with "" for the largest score: fraction of the images of the class, or correct, against the mean
        score in bins of equal size (Murphy and Winkler 1977), those of the calibration error.
    risk_coverage
        Error rate of the most confident images against their fraction of all images (El-Yaniv and Wiener 2010).
    net_benefit
        By class: net benefit against the threshold probability (Vickers and Elkin 2006).
    """

    reliability: dict[str, CurvesByScores]
    risk_coverage: CurvesByScores
    net_benefit: dict[str, CurvesByScores]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ScoreCurves":
        """Return the curves of a record that ``dataclasses.asdict`` returned, after a round trip through JSON."""
        return cls(
            reliability={name: _parse_curves(curves) for name, curves in record["reliability"].items()},
            risk_coverage=_parse_curves(record["risk_coverage"]),
            net_benefit={name: _parse_curves(curves) for name, curves in record["net_benefit"].items()},
        )


def _parse_curves(record: Mapping[str, Any]) -> CurvesByScores:
    return {scores: BandedCurve(*map(tuple, curve)) for scores, curve in record.items()}


def compute_score_curves(
    predictions: Predictions, weights: NDArray[Any] | None = None
) -> dict[CurveKey, FloatArray]:
    """Return the ordinates of every curve, (…, g), for each row of ``weights``, (…, n).

    Every image must have a label.
    """
    values: dict[CurveKey, FloatArray] = {}
    for scores, images in _images_by_scores(predictions, weights).items():
        for name, (confidence, happened) in _events(images, predictions.classes).items():
            values["reliability", scores, name] = bin_rates(confidence, happened, weights).rate
        values["risk_coverage", scores, LARGEST_SCORE] = risk_by_coverage(images, ANSWERED_FRACTIONS)
        for k, name in enumerate(predictions.classes):
            sweep = threshold_sweep(images.positive[:, k], images.scores[:, k], weights)
            values["net_benefit", scores, name] = net_benefit(sweep, PROBABILITY_THRESHOLDS)
    return values


def build_score_curves(
    predictions: Predictions, resampled: Mapping[CurveKey, FloatArray] | None, *, confidence: float
) -> ScoreCurves:
    """Return the curves of predictions, with a band from the resampled ordinates, (r, g), of `compute_score_curves`."""
    curves = {
        key: _make_curve(_abscissae(predictions, key), y, resampled[key] if resampled else None, confidence)
        for key, y in compute_score_curves(predictions).items()
    }
    return ScoreCurves(
        reliability=_by_class(curves, "reliability"),
        risk_coverage=_by_class(curves, "risk_coverage")[LARGEST_SCORE],
        net_benefit=_by_class(curves, "net_benefit"),
    )


def _by_class(curves: Mapping[CurveKey, BandedCurve], selected: str) -> dict[str, CurvesByScores]:
    nested: dict[str, CurvesByScores] = {}
    for (kind, scores, name), curve in curves.items():
        if kind == selected:
            nested.setdefault(name, {})[scores] = curve
    return nested


def _abscissae(predictions: Predictions, key: CurveKey) -> FloatArray:
    kind, scores, name = key
    if kind != "reliability":
        return ANSWERED_FRACTIONS if kind == "risk_coverage" else PROBABILITY_THRESHOLDS
    images = _images_by_scores(predictions, None)[scores]
    return bin_rates(*_events(images, predictions.classes)[name]).mean_score


def _make_curve(x: FloatArray, y: FloatArray, resampled: FloatArray | None, confidence: float) -> BandedCurve:
    if resampled is None:
        return BandedCurve(to_curve(x), to_curve(y))
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return BandedCurve(*map(to_curve, (x, y, low, high)))


def _images_by_scores(predictions: Predictions, weights: NDArray[Any] | None) -> dict[str, ScoredImages]:
    positive = predictions.targets()[:, None] == np.arange(len(predictions.classes))
    images = ScoredImages(predictions.scores, positive, predictions.scored_columns, weights)
    if predictions.calibrated_scores is None:
        return {"model": images}
    return {"model": images, "calibrated": images._replace(scores=predictions.calibrated_scores)}


def _events(images: ScoredImages, classes: Iterable[str]) -> dict[str, tuple[FloatArray, Any]]:
    """Return the score and whether its event happened, each (n,), for the largest score and for each class."""
    by_class = {name: (images.scores[:, k], images.positive[:, k]) for k, name in enumerate(classes)}
    return {LARGEST_SCORE: (images.confidence, images.correct), **by_class}


def net_benefit(sweep: ThresholdSweep, thresholds: FloatArray) -> FloatArray:
    """Return TP / n − FP / n · t / (1 − t) at threshold probabilities t, (…, t) (Vickers and Elkin 2006).

    The net benefit is in units of true positives per image: a threshold probability t accepts (1 − t) / t false
    positives for each true positive. Images with a score of t or more are predicted positive.
    """
    above = np.searchsorted(
        -sweep.thresholds, -thresholds, side="right"
    )  # number of distinct scores of t or more
    n_images = (sweep.true_positives + sweep.false_positives)[..., -1:]
    true, false = (
        np.concatenate([np.zeros_like(counts[..., :1]), counts], axis=-1)[..., above]
        for counts in (sweep.true_positives, sweep.false_positives)
    )
    return np.asarray((true - false * thresholds / (1 - thresholds)) / n_images)


def treat_all_benefit(prevalence: float, thresholds: FloatArray) -> FloatArray:
    """Return the net benefit if every image is predicted positive, (t,)."""
    return prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
