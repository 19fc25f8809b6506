"""Test the difference of any metric of two models: by a bootstrap over lesions, or by permuting their scores."""

import math
from collections.abc import Sequence
from dataclasses import replace

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
from lesionlens.evaluation.compute import metric_values
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import MetricKey, check_metric_keys
from lesionlens.evaluation.thresholds import DecisionRule

BOOTSTRAP = "bootstrap"
PERMUTATION = "permutation"


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
    """Compare metrics of two models on the same images, all on the same bootstrap samples.

    Each resample samples lesions with all their images, the same ones for both models, so that the difficulty of images
    cancels (Efron and Tibshirani 1993, chapter 13; Field and Welsh 2007). The interval describes how the difference of
    these two trained models would vary over other lesions; it does not cover other training seeds.

    Parameters
    ----------
    a, b
        Predictions of the same labeled images and classes in the same order (see `align`).
    keys
        Metrics and scopes: ``("auc", "melanoma")``, ``("sensitivity", "macro")``, ``("accuracy", "all")``.
    n_resamples
        Number of resamples. The interval is the central part of those in which the difference is defined. p is twice
        the smaller fraction of them on either side of zero, with zeros counted on both sides and one added to each
        count: it is never below 2 / (n_resamples + 1).
    seed
        Random seed of the resamples.
    stratified
        Whether to sample as many lesions of each class as there are, so that every resample has all classes.
    confidence
        Confidence level of the intervals, between 0 and 1.
    decision
        Decision rule, as of `lesionlens.evaluation.evaluate.evaluate`.

    Raises
    ------
    ComparisonError
        The predictions are not aligned, a metric does not exist, or ``n_resamples`` is below 1.
    """
    check_aligned(a, b)
    check_metric_keys(keys, a.classes)
    check_confidence(confidence)
    if n_resamples < 1:
        raise ComparisonError(f"n_resamples={n_resamples}: it must be 1 or more")
    point = metric_values(a, keys, decision=decision) - metric_values(b, keys, decision=decision)
    chunks = [
        metric_values(a, keys, decision=decision, weights=weights)
        - metric_values(b, keys, decision=decision, weights=weights)
        for weights in cluster_bootstrap_weights(
            a.lesion_id, n_resamples=n_resamples, seed=seed, strata=a.label if stratified else None
        )
    ]
    resampled = np.concatenate(chunks, axis=1)
    n_lesions = len(np.unique(a.lesion_id))
    return [
        bootstrap_result(float(difference), differences, n_lesions, confidence=confidence)
        for difference, differences in zip(point, resampled, strict=True)
    ]


def bootstrap_result(
    difference: float, resampled: FloatArray, n: int, *, confidence: float = 0.95
) -> SignificanceResult:
    """Return interval and p-value of a difference from its resampled values, (r,), over n lesions.

    Undefined resampled values are excluded. p is NaN if the difference or all its resampled values are undefined.
    """
    interval = percentile_interval(resampled, confidence=confidence)
    defined = resampled[~np.isnan(resampled)]
    p = np.nan if np.isnan(difference) or not len(defined) else _two_sided_p_value(defined)
    return SignificanceResult(difference, interval.low, interval.high, np.nan, p, n, "lesions", BOOTSTRAP)


def _two_sided_p_value(resampled: FloatArray) -> float:
    slack = 1e-12
    smaller = min((resampled <= slack).sum(), (resampled >= -slack).sum())
    return float(min(1.0, 2 * (smaller + 1) / (len(resampled) + 1)))


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
    """Test the difference of a metric by swapping the two models' scores, lesion by lesion.

    All images of a lesion are swapped together, with their scores of all classes. The null hypothesis is that the
    scores of both models have the same distribution, so models with different scales also differ: calibrate or rank the
    scores first if only their order matters. The observed assignment counts as one of the permutations (Phipson and
    Smyth 2010). The statistic is the difference; there is no interval.

    Parameters
    ----------
    a, b
        Predictions of the same labeled images and classes in the same order (see `align`).
    metric, scope
        Metric to compare and its scope.
    n_permutations
        Number of random permutations.
    seed
        Random seed of the permutations.
    alternative
        Alternative hypothesis: the first model's metric is different, less or greater.
    decision
        Decision rule, as of `lesionlens.evaluation.evaluate.evaluate`.

    Raises
    ------
    ComparisonError
        The predictions are not aligned, the metric does not exist or is undefined here, or ``n_permutations`` is below
        1.
    """
    check_alternative(alternative)
    check_aligned(a, b)
    key = metric, scope
    check_metric_keys([key], a.classes)
    if n_permutations < 1:
        raise ComparisonError(f"n_permutations={n_permutations}: it must be 1 or more")
    _, member = np.unique(a.lesion_id, return_inverse=True)
    n_lesions = int(member.max()) + 1
    rng = np.random.default_rng(seed)

    def difference(swapped: BoolArray) -> float:
        value_a, value_b = (
            metric_values(_swap_scores(model, other, swapped), [key], decision=decision)
            for model, other in ((a, b), (b, a))
        )
        return float((value_a - value_b)[0])

    observed = difference(np.zeros(len(a), dtype=bool))
    if math.isnan(observed):
        raise ComparisonError(
            f"the {metric} of {scope} is undefined on these images, so it cannot be compared"
        )
    permuted = np.array([difference(rng.random(n_lesions)[member] < 0.5) for _ in range(n_permutations)])
    defined = permuted[~np.isnan(permuted)]
    p = (count_as_extreme(defined, observed, alternative) + 1) / (len(defined) + 1)
    return SignificanceResult(observed, math.nan, math.nan, observed, p, n_lesions, "lesions", PERMUTATION)


def _swap_scores(predictions: Predictions, other: Predictions, swapped: BoolArray) -> Predictions:
    return replace(predictions, scores=np.where(swapped[:, None], other.scores, predictions.scores))
