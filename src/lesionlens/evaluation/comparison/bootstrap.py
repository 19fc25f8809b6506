"""The difference of any metric of two models: over lesions drawn for both, and with their scores swapped."""

import math
from collections.abc import Sequence

import numpy as np

from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.evaluation.comparison.alignment import check_aligned
from lesionlens.evaluation.comparison.result import (
    Alternative,
    SignificanceResult,
    check_alternative,
    check_confidence,
    count_as_extreme,
)
from lesionlens.evaluation.compute import MetricKey, check_metric_keys, metric_values
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule

BOOTSTRAP = "bootstrap"


def bootstrap_difference(
    a: Predictions,
    b: Predictions,
    metric: str,
    scope: str = "macro",
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    stratified: bool = True,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
) -> SignificanceResult:
    """Compare one metric of two models; see `bootstrap_differences`."""
    return bootstrap_differences(
        a,
        b,
        [(metric, scope)],
        n_resamples=n_resamples,
        seed=seed,
        stratified=stratified,
        confidence=confidence,
        decision=decision,
    )[0]


def bootstrap_differences(
    a: Predictions,
    b: Predictions,
    keys: Sequence[MetricKey],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    stratified: bool = True,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
) -> list[SignificanceResult]:
    """Compare metrics of two models on the same images, all over the same drawn lesions.

    Each replicate draws lesions with all their images, once for both models, so that what makes images hard for both
    cancels (Efron and Tibshirani 1993, chapter 13; Field and Welsh 2007). It says how the difference would vary over
    other lesions for these two trained models; it knows nothing of other seeds.

    Parameters
    ----------
    a, b
        Of the same labelled images and classes in the same order (see `align`).
    keys
        Metric and what it is of: ``("auc", "melanoma")``, ``("sensitivity", "macro")``, ``("accuracy", "all")``.
    n_resamples
        The interval is the middle of those in which the difference is defined. p is twice the smaller share of them on
        either side of zero, zeros counted on both and one added to each count: it is never below 2 / (n_resamples + 1).
    stratified
        Draw as many lesions of each class as there are, so that every replicate has all classes.

    Raises
    ------
    ComparisonError
        Predictions that are no pair, a metric that does not exist, or no replicate.
    """
    check_aligned(a, b)
    check_metric_keys(keys, a.classes)
    check_confidence(confidence)
    if n_resamples < 1:
        raise ComparisonError(f"n_resamples={n_resamples}: one or more are needed")
    point = metric_values(a, keys, decision=decision) - metric_values(b, keys, decision=decision)
    parts = [
        metric_values(a, keys, decision=decision, weights=weights)
        - metric_values(b, keys, decision=decision, weights=weights)
        for weights in cluster_bootstrap_weights(
            a.lesion_id, n_resamples=n_resamples, seed=seed, strata=a.label if stratified else None
        )
    ]
    drawn = np.concatenate(parts, axis=1)
    n = len(np.unique(a.lesion_id))
    return [
        bootstrap_result(float(one), each, n, confidence=confidence)
        for one, each in zip(point, drawn, strict=True)
    ]


def bootstrap_result(
    difference: float, resampled: FloatArray, n: int, *, confidence: float = 0.95
) -> SignificanceResult:
    """Judge a difference by its replicates, (r,), over n lesions; those that do not define it are left out.

    p is NaN where the difference itself or every replicate of it is.
    """
    interval = percentile_interval(resampled, confidence=confidence)
    defined = resampled[~np.isnan(resampled)]
    p = np.nan if np.isnan(difference) or not len(defined) else _two_sided_p_value(defined)
    return SignificanceResult(difference, interval.low, interval.high, np.nan, p, n, "lesions", BOOTSTRAP)


def _two_sided_p_value(resampled: FloatArray) -> float:
    slack = 1e-12
    smaller = min((resampled <= slack).sum(), (resampled >= -slack).sum())
    return float(min(1.0, 2 * (smaller + 1) / (len(resampled) + 1)))


PERMUTATION = "permutation"


def permutation_test(
    a: Predictions,
    b: Predictions,
    metric: str,
    scope: str = "macro",
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    decision: DecisionRule = "argmax",
) -> SignificanceResult:
    """Judge the difference of a metric by swapping the two models' scores, lesion by lesion.

    All images of a lesion are swapped together, with scores of all classes. What is tested is that the two score alike
    in distribution, so scores on different scales differ too: calibrate or rank them before where only the order is
    meant. The permutation that was observed counts as one of the draws (Phipson and Smyth 2010); the statistic is the
    difference itself; an interval there is none.

    Raises
    ------
    ComparisonError
        Predictions that are no pair, a metric that does not exist or is not defined here, or no permutation.
    """
    check_alternative(alternative)
    check_aligned(a, b)
    key = metric, scope
    check_metric_keys([key], a.classes)
    if n_permutations < 1:
        raise ComparisonError(f"n_permutations={n_permutations}: one or more are needed")
    _, member = np.unique(a.lesion_id, return_inverse=True)
    lesions = int(member.max()) + 1
    rng = np.random.default_rng(seed)

    def difference(swapped: BoolArray) -> float:
        first, second = _swap_scores(a, b, swapped), _swap_scores(b, a, swapped)
        return float(
            (
                metric_values(first, [key], decision=decision)
                - metric_values(second, [key], decision=decision)
            )[0]
        )

    observed = difference(np.zeros(len(a), dtype=bool))
    if math.isnan(observed):
        raise ComparisonError(
            f"the {metric} of {scope} is not defined on these images, so it cannot be compared"
        )
    drawn = np.array([difference(rng.random(lesions)[member] < 0.5) for _ in range(n_permutations)])
    defined = drawn[~np.isnan(drawn)]
    p = (count_as_extreme(defined, observed, alternative) + 1) / (len(defined) + 1)
    return SignificanceResult(observed, math.nan, math.nan, observed, p, lesions, "lesions", PERMUTATION)


def _swap_scores(predictions: Predictions, other: Predictions, swapped: BoolArray) -> Predictions:
    scores = np.where(swapped[:, None], other.scores, predictions.scores)
    return Predictions(
        predictions.image_id,
        predictions.lesion_id,
        predictions.label,
        scores,
        predictions.classes,
        other_class=predictions.other_class,
    )
