"""Test the difference of any metric of two models: by a bootstrap over lesions, or by permuting their scores."""

import math
from collections.abc import Sequence

import numpy as np

from lesionlens.core.bootstrap import ROUNDING_TOLERANCE, cluster_bootstrap_weights, percentile_interval
from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.comparison.alignment import check_aligned
from lesionlens.evaluation.comparison.result import (
    Alternative,
    SignificanceResult,
    check_alternative,
    check_confidence,
    count_as_extreme,
)
from lesionlens.evaluation.compute import averaged_classes, metric_values
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.lesion_counts import LesionCounts, count_lesions
from lesionlens.evaluation.metric import MACRO, MetricKey, Scope
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import check_metric_keys, get_metric
from lesionlens.evaluation.thresholds import DecisionRule

BOOTSTRAP = "bootstrap"
PERMUTATION = "permutation"


def bootstrap_difference(
    a: Predictions,
    b: Predictions,
    metric: str,
    scope: Scope = MACRO,
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
        Metrics and scopes: ``("auc", "melanoma")``, ``("sensitivity", MACRO)``, ``("accuracy", OVERALL)``.
    n_resamples
        Number of resamples. The interval is the central part of those in which the difference is defined. p is twice
        the smaller fraction of them on either side of zero, with zeros counted on both sides and one added to each
        count: it is never below 2 / (n_resamples + 1). For n lesions it is never below 2 / 2^n, the smallest p of the
        permutations of n lesions; n are those of the class, or of the others if they are fewer and the metric needs
        them. Both are NaN if the difference is the same in every resample, and for a class with one lesion and averages
        that contain it.
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
            a.lesion_id, n_resamples=n_resamples, seed=seed, strata=a.targets() if stratified else None
        )
    ]
    resampled = np.concatenate(chunks, axis=1)
    lesions = count_lesions(a)
    return [
        bootstrap_result(
            float(difference),
            get_metric(key[0]).resampled_differences(float(difference), differences),
            lesions.total,
            confidence=confidence,
            n_decisive=count_decisive_lesions(lesions, key),
            undefined_reason=undefined_metric_reason(a, key),
            unvaried_reason=unvaried_metric_reason(a, lesions, key),
        )
        for key, difference, differences in zip(keys, point, resampled, strict=True)
    ]


def count_decisive_lesions(lesions: LesionCounts, key: MetricKey) -> int:
    """Return the number of lesions on which a metric rests: of a class those of the smallest group that it needs."""
    metric, scope = get_metric(key[0]), key[1]
    return lesions.decisive(metric, scope) if isinstance(scope, str) else lesions.total


def unvaried_metric_reason(predictions: Predictions, lesions: LesionCounts, key: MetricKey) -> str:
    """Return why the difference cannot vary as it would over other lesions; "" if it can."""
    metric, scope = get_metric(key[0]), key[1]
    classes = [scope] if isinstance(scope, str) else averaged_classes(predictions)
    single = lesions.single_lesion_classes(get_metric(metric.averaged), classes)
    return f"only one lesion of {', '.join(map(display_name, single))}" if single else ""


def undefined_metric_reason(predictions: Predictions, key: MetricKey) -> str:
    """Return why a metric is undefined on these images, if it is."""
    metric, scope = get_metric(key[0]), key[1]
    if not isinstance(scope, str):
        return "undefined for a class" if averaged_classes(predictions) else "no image of a target class"
    n_positive = int((predictions.label == scope).sum())
    return metric.undefined_reason(n_positive=n_positive, n_negative=len(predictions) - n_positive)


def bootstrap_result(
    difference: float,
    resampled: FloatArray,
    n: int,
    *,
    confidence: float = 0.95,
    n_decisive: int | None = None,
    undefined_reason: str = "undefined on these images",
    unvaried_reason: str = "",
) -> SignificanceResult:
    """Return interval and p-value of a difference from its resampled values, (r,), over n lesions.

    Undefined resampled values are excluded. Interval and p are NaN, with the reason, if the difference or all its
    resampled values are undefined, if these are all equal, and if there is one lesion or an
    ``unvaried_reason``.

    Parameters
    ----------
    difference
        Difference on all lesions.
    resampled
        Difference in each resample, (r,).
    n
        Number of lesions.
    confidence
        Confidence level of the interval.
    n_decisive
        Number of lesions on which the metric rests (see `bootstrap_differences`); default: n.
    undefined_reason
        Reason if the difference is undefined.
    unvaried_reason
        Why the resampled values do not vary as they would over other lesions; "" if they do.
    """
    n_decisive = n if n_decisive is None else n_decisive
    defined = resampled[~np.isnan(resampled)]
    low, high, _ = percentile_interval(resampled, confidence=confidence)
    reason = ""
    if np.isnan(difference):
        reason = undefined_reason
    elif n < 2:
        reason = "only one lesion"
    elif unvaried_reason:
        reason = unvaried_reason
    elif np.isnan(low):
        reason = "the same in (nearly) every resample" if len(defined) else "undefined in every resample"
    if reason:
        low, high, p = np.nan, np.nan, np.nan
    else:
        p = max(_two_sided_p_value(defined), 2.0 ** (1 - n_decisive))
    return SignificanceResult(difference, low, high, np.nan, p, n, "lesions", BOOTSTRAP, reason)


def _two_sided_p_value(resampled: FloatArray) -> float:
    smaller = min((resampled <= ROUNDING_TOLERANCE).sum(), (resampled >= -ROUNDING_TOLERANCE).sum())
    return float(min(1.0, 2 * (smaller + 1) / (len(resampled) + 1)))


def permutation_test(
    a: Predictions,
    b: Predictions,
    metric: str,
    scope: Scope = MACRO,
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
    Smyth 2010). The statistic is the difference; there is no interval. p is NaN for one lesion, and if no permutation
    changes the difference.

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
    p, reason = math.nan, "only one lesion" if n_lesions == 1 else "the same in every permutation"
    if n_lesions > 1 and (np.abs(defined - observed) > ROUNDING_TOLERANCE).any():
        p, reason = (count_as_extreme(defined, observed, alternative) + 1) / (len(defined) + 1), ""
    return SignificanceResult(
        observed, math.nan, math.nan, observed, p, n_lesions, "lesions", PERMUTATION, reason
    )


def _swap_scores(predictions: Predictions, other: Predictions, swapped: BoolArray) -> Predictions:
    return predictions.with_scores(np.where(swapped[:, None], other.scores, predictions.scores))
