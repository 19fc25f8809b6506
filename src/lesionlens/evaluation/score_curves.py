"""Curves of the scores as probabilities: reliability, risk against coverage, and net benefit, with bootstrap bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from lesionlens.core.types import FloatArray
from lesionlens.evaluation.metrics import CurveValues, to_curve
from lesionlens.evaluation.score_bins import BinRates, sum_by_group
from lesionlens.evaluation.score_quality import ScoredImages, Weights, risk_by_coverage

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
    images_by_scores: Mapping[str, ScoredImages], classes: Sequence[str], weights: Weights = None
) -> dict[CurveKey, FloatArray]:
    """Return the ordinates of every curve, (…, g), for each row of ``weights``, (…, n).

    That of a bin without an image is NaN.
    """
    values: dict[CurveKey, FloatArray] = {}
    for scores, images in images_by_scores.items():
        bins = _reliability(images, weights)
        rates = np.where(bins.n_images > 0, bins.rate, np.nan)
        benefits = net_benefits(images, PROBABILITY_THRESHOLDS, weights)
        for k, name in enumerate((LARGEST_SCORE, *classes)):
            values["reliability", scores, name] = rates[..., k, :]
        values["risk_coverage", scores, LARGEST_SCORE] = risk_by_coverage(images, ANSWERED_FRACTIONS, weights)
        for k, name in enumerate(classes):
            values["net_benefit", scores, name] = benefits[..., k, :]
    return values


def _reliability(images: ScoredImages, weights: Weights) -> BinRates:
    """Return the bins of the largest score and then of each class, each (…, 1 + k, b)."""
    pairs = zip(images.largest_score_bins.rates(weights), images.class_bins.rates(weights), strict=True)
    return BinRates(*(np.concatenate(pair, axis=-2) for pair in pairs))


def build_score_curves(
    images_by_scores: Mapping[str, ScoredImages],
    classes: Sequence[str],
    resampled: Mapping[CurveKey, FloatArray] | None,
    *,
    confidence: float,
) -> ScoreCurves:
    """Return the curves, with a band from the resampled ordinates, (r, g), of `compute_score_curves`."""
    bins = {scores: _reliability(images, None) for scores, images in images_by_scores.items()}
    curves: dict[CurveKey, BandedCurve] = {}
    for key, y in compute_score_curves(images_by_scores, classes).items():
        kind, scores, name = key
        x = ANSWERED_FRACTIONS if kind == "risk_coverage" else PROBABILITY_THRESHOLDS
        used = np.ones(len(y), dtype=np.bool_)
        if kind == "reliability":
            row = (LARGEST_SCORE, *classes).index(name)
            x, used = bins[scores].mean_score[row], bins[scores].n_images[row] > 0
        band = None if resampled is None else resampled[key][:, used]
        curves[key] = _make_curve(x[used], y[used], band, confidence)
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


def _make_curve(x: FloatArray, y: FloatArray, resampled: FloatArray | None, confidence: float) -> BandedCurve:
    if resampled is None:
        return BandedCurve(to_curve(x), to_curve(y))
    tail = (1 - confidence) / 2
    known = np.where(np.isnan(resampled).all(axis=0), y, resampled)  # a bin that no resample has: no interval
    low, high = np.nanquantile(known, [tail, 1 - tail], axis=0)
    return BandedCurve(*map(to_curve, (x, y, low, high)))


def net_benefits(images: ScoredImages, thresholds: FloatArray, weights: Weights = None) -> FloatArray:
    """Return TP / n − FP / n · t / (1 − t) of each class at threshold probabilities t, (…, k, t).

    The net benefit (Vickers and Elkin 2006) is in units of true positives per image: a threshold probability t accepts
    (1 − t) / t false positives for each true positive. Images with a score of t or more are predicted positive.
    """
    weight = np.ones(len(images.scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    n_images = weight.sum(axis=-1)[..., None, None]
    sums = _sums_by_threshold(images, thresholds) @ np.moveaxis(weight, -1, 0)
    shape = (2, images.scores.shape[1], len(thresholds) + 1, *sums.shape[1:])
    above = np.cumsum(sums.reshape(shape)[:, :, ::-1], axis=2)[:, :, -2::-1]  # of a threshold or more
    predicted, true = np.moveaxis(above, (1, 2), (-2, -1))
    return np.asarray((true - (predicted - true) * thresholds / (1 - thresholds)) / n_images)


def _sums_by_threshold(images: ScoredImages, thresholds: FloatArray) -> csr_array:
    """Return the matrix that sums weights of images, and of images of the class, by class and highest threshold."""
    groups = np.searchsorted(
        thresholds, images.scores, side="right"
    )  # number of thresholds that a score reaches
    blocks = [
        sum_by_group(groups[:, k], value[:, k], len(thresholds) + 1)
        for value in (np.ones(images.scores.shape), images.positive)
        for k in range(images.scores.shape[1])
    ]
    return csr_array(vstack(blocks, format="csr"))


def treat_all_benefit(prevalence: float, thresholds: FloatArray) -> FloatArray:
    """Return the net benefit if every image is predicted positive, (t,)."""
    return prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
