"""Models compared on the same images, metric by metric."""

from collections.abc import Sequence

import numpy as np

from lesionlens.data.problems import pluralize
from lesionlens.evaluation.compare.agreement import mcnemar
from lesionlens.evaluation.compare.bootstrap import bootstrap_differences
from lesionlens.evaluation.compare.comparison import SignificanceResult
from lesionlens.evaluation.compare.contrast import MetricComparison, ComparisonReport, apply_holm, default_metrics, select_pairs
from lesionlens.evaluation.compare.delong import delong
from lesionlens.evaluation.compare.remarks import comparison_caveats, count_multi_image_lesions
from lesionlens.evaluation.compare.values import MetricKey, metric_values
from lesionlens.evaluation.decision import DecisionRule, is_correct
from lesionlens.evaluation.measures import OVERALL
from lesionlens.evaluation.prediction_table import Predictions

_MIN_IMAGES_DELONG = 2  # images of a kind that DeLong's test needs


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
    """Compare the first of several models with each other, or every one with every other.

    Each difference has its bootstrap interval over lesions. p is DeLong's for the AUC of a class against the rest, of
    McNemar's exact test for the accuracy and of the bootstrap for all else; where a lesion has several images these two
    would be too sure, so p is of the bootstrap throughout, and a note says so.

    Parameters
    ----------
    models
        Of the same labelled images and classes in the same order (see `aligned`).
    keys
        Metrics and what they are of; none: the usual ones (see `usual`).
    all_pairs
        Compare every pair, not only the first with each other.

    Raises
    ------
    ComparisonError
        See `bootstrap_differences`.
    """
    first = models[0]
    asked = list(keys) or default_metrics(first.classes, present=map(str, first.label), other_class=first.other_class)
    several = count_multi_image_lesions(first)
    found: list[MetricComparison] = []
    for one, other in select_pairs(names, all_pairs=all_pairs):
        a, b = models[one], models[other]
        over_lesions = bootstrap_differences(
            a,
            b,
            asked,
            n_resamples=n_resamples,
            seed=seed,
            stratified=stratified,
            confidence=confidence,
            decision=decision,
        )
        measured = zip(metric_values(a, asked, decision=decision), metric_values(b, asked, decision=decision), strict=True)
        for key, pair, drawn in zip(asked, measured, over_lesions, strict=True):
            over_images = _image_level_tests(a, b, key, decision, confidence)
            judged = over_images[0] if over_images and not several else drawn
            both = float(pair[0]), float(pair[1])
            found.append(MetricComparison(names[one], names[other], *key, both, drawn, judged, over_images))
    return ComparisonReport(
        apply_holm(found),
        f"{pluralize(len(first), 'image')} of {pluralize(len(np.unique(first.lesion_id)), 'lesion')}",
        comparison_caveats(first, found, n_resamples=n_resamples),
        {
            "confidence": confidence,
            "replicates": n_resamples,
            "seed": seed,
            "strata": "class" if stratified else "none",
            "decision": _describe_decision(decision),
        },
    )


def _describe_decision(decision: DecisionRule) -> str:
    if isinstance(decision, str):
        return decision
    values = ", ".join(f"{name} {value:g}" for name, value in decision.values.items())
    return f"thresholds ({decision.rule}): {values}"


def _image_level_tests(
    a: Predictions, b: Predictions, key: MetricKey, decision: DecisionRule, confidence: float
) -> tuple[SignificanceResult, ...]:
    """Give the test that counts images, where there is one for the metric."""
    metric, of = key
    if key == ("accuracy", OVERALL):
        targets = a.targets()
        hits = [is_correct(each.scores, targets, each.classes, decision) for each in (a, b)]
        return (mcnemar(hits[0], hits[1], confidence=confidence),)
    own = a.label == of
    if metric == "auc" and min(own.sum(), (~own).sum()) >= _MIN_IMAGES_DELONG:
        k = a.classes.index(of)
        return (delong(own, a.scores[:, k], b.scores[:, k], confidence=confidence),)
    return ()
