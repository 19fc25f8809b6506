"""Models compared on the same images, metric by metric."""

import math
from collections.abc import Sequence

import numpy as np

from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.comparison.bootstrap import bootstrap_differences
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
from lesionlens.evaluation.compute import OVERALL, MetricKey, metric_values
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule, is_correct

_MIN_LESIONS = 10
_SIGNIFICANCE_LEVEL = 0.05  # what a corrected p should be able to fall below


def comparison_caveats(
    predictions: Predictions, comparisons: Sequence[MetricComparison], *, n_resamples: int
) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; ``predictions`` is any of the models, for images, labels and lesions."""
    said = (
        _multi_image_caveat(predictions),
        _few_lesions_caveat(predictions),
        _undefined_caveat(comparisons),
        _unknown_lesions_caveat(predictions),
        _p_value_resolution_caveat(comparisons, n_resamples),
    )
    return tuple(filter(None, said))


def count_multi_image_lesions(predictions: Predictions) -> int:
    """Count the lesions that have several images."""
    _, images = np.unique(predictions.lesion_id, return_counts=True)
    return int((images > 1).sum())


def _multi_image_caveat(predictions: Predictions) -> str:
    several = count_multi_image_lesions(predictions)
    if not several:
        return ""
    lesions = len(np.unique(predictions.lesion_id))
    return (
        f"{several:,} of {lesions:,} lesions have several images. DeLong's and McNemar's tests "
        "count images as independent and would be too sure, so p is of the bootstrap over lesions."
    )


def _unknown_lesions_caveat(predictions: Predictions) -> str:
    if not (predictions.lesion_id == predictions.image_id).all():
        return ""
    return (
        "Lesions are not known: each image counts as its own. Where some show the same lesion, the intervals are too "
        "narrow and p is too small."
    )


def _few_lesions_caveat(predictions: Predictions) -> str:
    lesions = {
        name: len(np.unique(predictions.lesion_id[predictions.label == name])) for name in predictions.classes
    }
    few = [f"{display_name(name)} {n}" for name, n in lesions.items() if 0 < n < _MIN_LESIONS]
    return f"Few lesions ({', '.join(few)}): take their intervals and p as a rough guide." if few else ""


def _undefined_caveat(comparisons: Sequence[MetricComparison]) -> str:
    if not any(math.isnan(each.interval_result.difference) for each in comparisons):
        return ""
    return "– is not defined: the class, or any other, has no image, or none is decided for it."


def _p_value_resolution_caveat(comparisons: Sequence[MetricComparison], n_resamples: int) -> str:
    if all(each.primary_test is not each.interval_result for each in comparisons):
        return ""
    least = 2 / (n_resamples + 1)
    said = f"A bootstrap of {n_resamples:,} resamples gives no p below {least:.2g}"
    judged = [each for each in comparisons if not math.isnan(each.primary_test.p)]
    corrected = least * len(judged)
    if corrected <= _SIGNIFICANCE_LEVEL:
        return f"{said}."
    return (
        f"{said}, and where all {len(judged)} differences have it Holm's is {min(1, corrected):.2g}: give more "
        "--bootstrap-samples, or fewer --metric."
    )


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
        Of the same labelled images and classes in the same order (see `align`).
    keys
        Metrics and what they are of; none: the usual ones (see `default_metrics`).
    all_pairs
        Compare every pair, not only the first with each other.

    Raises
    ------
    ComparisonError
        See `bootstrap_differences`.
    """
    first = models[0]
    asked = list(keys) or default_metrics(
        first.classes, present=map(str, first.label), other_class=first.other_class
    )
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
        measured = zip(
            metric_values(a, asked, decision=decision),
            metric_values(b, asked, decision=decision),
            strict=True,
        )
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
            "n_resamples": n_resamples,
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
