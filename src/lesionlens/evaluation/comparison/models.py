"""Compare models on the same images, metric by metric."""

from collections.abc import Iterator, Sequence

import numpy as np

from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.comparison.bootstrap import bootstrap_differences
from lesionlens.evaluation.comparison.caveats import count_multi_image_lesions, model_caveats
from lesionlens.evaluation.comparison.delong import delong
from lesionlens.evaluation.comparison.result import (
    ComparisonReport,
    MetricComparison,
    SignificanceResult,
    apply_holm,
    default_metrics,
    select_pairs,
)
from lesionlens.evaluation.comparison.tests import mcnemar
from lesionlens.evaluation.compute import metric_values
from lesionlens.evaluation.metric import OVERALL, MetricKey
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule, is_correct

_MIN_IMAGES_DELONG = 2  # positive and negative images each that DeLong's test needs


def compare_models(
    models: Sequence[Predictions],
    names: Sequence[str],
    *,
    keys: Sequence[MetricKey] = (),
    all_pairs: bool = False,
    n_resamples: int = 2000,
    seed: int = 0,
    stratified: bool = True,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
) -> ComparisonReport:
    """Compare the first of several models with every other, or all pairs of models.

    Each difference has a bootstrap interval over lesions. The reported p is that of DeLong's test for the AUC of a
    class against the rest, of McNemar's exact test for the accuracy, and of the bootstrap for all other metrics. If a
    lesion has several images, the first two would be overconfident: p is that of the bootstrap for all metrics, and a
    caveat reports it.

    Parameters
    ----------
    models
        Predictions of the same labeled images and classes in the same order (see `align`).
    names
        Names of the models.
    keys
        Metrics and scopes to compare; default: see `default_metrics`.
    all_pairs
        Whether to compare all pairs of models, not only the first with each other.
    n_resamples, seed, stratified, confidence, decision
        Options of the bootstrap (see `bootstrap_differences`).

    Raises
    ------
    ComparisonError
        See `bootstrap_differences`.
    """
    first = models[0]
    keys = list(keys) or default_metrics(
        first.classes, present=map(str, first.label), other_class=first.other_class
    )
    comparisons: list[MetricComparison] = []
    for a, b in select_pairs(names, all_pairs=all_pairs):
        by_bootstrap = bootstrap_differences(
            models[a],
            models[b],
            keys,
            n_resamples=n_resamples,
            seed=seed,
            stratified=stratified,
            confidence=confidence,
            decision=decision,
        )
        pair = (models[a], models[b]), (names[a], names[b])
        comparisons += _compare_pair(*pair, keys, by_bootstrap, decision, confidence)
    n_lesions = len(np.unique(first.lesion_id))
    return ComparisonReport(
        apply_holm(comparisons),
        f"{pluralize(len(first), 'image')} of {pluralize(n_lesions, 'lesion')}",
        model_caveats(first, comparisons, n_resamples=n_resamples),
        {
            "confidence": confidence,
            "n_resamples": n_resamples,
            "seed": seed,
            "strata": "class" if stratified else "none",
            "decision": _describe_decision(decision),
        },
    )


def _compare_pair(
    models: tuple[Predictions, Predictions],
    names: tuple[str, str],
    keys: Sequence[MetricKey],
    by_bootstrap: Sequence[SignificanceResult],
    decision: DecisionRule,
    confidence: float,
) -> Iterator[MetricComparison]:
    has_multi_image_lesions = count_multi_image_lesions(models[0]) > 0
    values_a, values_b = (metric_values(model, keys, decision=decision) for model in models)
    for key, bootstrap, a, b in zip(keys, by_bootstrap, values_a, values_b, strict=True):
        by_image = _image_level_tests(*models, key, decision, confidence)
        primary = by_image[0] if by_image and not has_multi_image_lesions else bootstrap
        yield MetricComparison(*names, *key, (float(a), float(b)), bootstrap, primary, by_image)


def _describe_decision(decision: DecisionRule) -> str:
    if isinstance(decision, str):
        return decision
    values = ", ".join(f"{name} {value:g}" for name, value in decision.values.items())
    return f"thresholds ({decision.rule}): {values}"


def _image_level_tests(
    a: Predictions, b: Predictions, key: MetricKey, decision: DecisionRule, confidence: float
) -> tuple[SignificanceResult, ...]:
    """Return the test that treats images as independent, if the metric has one."""
    metric, scope = key
    if scope is OVERALL and metric == "accuracy":
        targets = a.targets()
        correct_a, correct_b = (
            is_correct(model.scores, targets, model.classes, decision) for model in (a, b)
        )
        return (mcnemar(correct_a, correct_b, confidence=confidence),)
    if metric != "auc" or not isinstance(scope, str):
        return ()
    positive = a.label == scope
    if min(positive.sum(), (~positive).sum()) >= _MIN_IMAGES_DELONG:
        k = a.classes.index(scope)
        return (delong(positive, a.scores[:, k], b.scores[:, k], confidence=confidence),)
    return ()
