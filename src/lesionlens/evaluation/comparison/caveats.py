"""Caveats of a comparison: what limits its differences and p-values, over images and over runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from lesionlens.evaluation.caveats import (
    conflicting_lesions_caveat,
    large_lesions_caveat,
    unknown_lesions_caveat,
)
from lesionlens.evaluation.comparison.result import MetricComparison, select_pairs
from lesionlens.evaluation.formatting import display_name, format_metric
from lesionlens.evaluation.metric import MetricKey
from lesionlens.evaluation.predictions import Predictions, format_examples
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import EvaluationResult

RunEvaluations = Mapping[str, EvaluationResult]
"""Evaluation of each run of a group, by the name of the run."""

MIN_RUNS_TO_COMPARE = 2
_MIN_LESIONS = 10
_SIGNIFICANCE_LEVEL = 0.05  # a corrected p-value should be able to fall below it

_RUN_CAVEATS = (
    "Pairs are runs or folds of the same name. The reported p is that of the paired t-test; the others are for "
    "reference, and selecting the test by its p invalidates it.",
    "Runs differ in their seeds (or folds): p tells whether the recipes differ on these test images, not whether they "
    "would on other images. Folds have training images in common, so their p is somewhat too small.",
)


def model_caveats(
    predictions: Predictions, comparisons: Sequence[MetricComparison], *, n_resamples: int
) -> tuple[str, ...]:
    """Return the caveats of a comparison of models, one sentence each; empty if there are none.

    Parameters
    ----------
    predictions
        Predictions of any of the models, for images, labels and lesions.
    comparisons
        Comparisons of all pairs.
    n_resamples
        Number of bootstrap resamples.
    """
    caveats = (
        _multi_image_caveat(predictions),
        _few_lesions_caveat(predictions),
        _undefined_caveat(comparisons),
        unknown_lesions_caveat(predictions, consequence="the intervals are too narrow and p is too small"),
        large_lesions_caveat(predictions),
        conflicting_lesions_caveat(predictions),
        _p_value_resolution_caveat(comparisons, n_resamples),
    )
    return tuple(filter(None, caveats))


def count_multi_image_lesions(predictions: Predictions) -> int:
    """Return the number of lesions that have several images."""
    _, images = np.unique(predictions.lesion_id, return_counts=True)
    return int((images > 1).sum())


def _multi_image_caveat(predictions: Predictions) -> str:
    multi_image = count_multi_image_lesions(predictions)
    if not multi_image:
        return ""
    lesions = len(np.unique(predictions.lesion_id))
    return (
        f"{multi_image:,} of {lesions:,} lesions have several images. DeLong's and McNemar's tests treat images as "
        "independent and would be overconfident, so the reported p is that of the bootstrap over lesions."
    )


def _few_lesions_caveat(predictions: Predictions) -> str:
    lesions = {
        name: len(np.unique(predictions.lesion_id[predictions.label == name])) for name in predictions.classes
    }
    few = [f"{display_name(name)} {n}" for name, n in lesions.items() if 0 < n < _MIN_LESIONS]
    return f"Few lesions ({', '.join(few)}): their intervals and p are rough guides only." if few else ""


def _undefined_caveat(comparisons: Sequence[MetricComparison]) -> str:
    """List the metrics without interval or p, by the reason."""
    metrics: dict[str, list[str]] = {}
    for comparison in comparisons:
        for reason in dict.fromkeys((comparison.interval_result.reason, comparison.primary_test.reason)):
            metrics.setdefault(reason, []).append(format_metric(comparison.metric, comparison.scope))
    metrics.pop("", None)
    reasons = [
        f"{reason[0].upper()}{reason[1:]}: {'; '.join(dict.fromkeys(names))}."
        for reason, names in metrics.items()
    ]
    return f"– means undefined. {' '.join(reasons)}" if reasons else ""


def _p_value_resolution_caveat(comparisons: Sequence[MetricComparison], n_resamples: int) -> str:
    if all(comparison.primary_test is not comparison.interval_result for comparison in comparisons):
        return ""
    if all(math.isnan(comparison.primary_test.p) for comparison in comparisons):
        return ""
    smallest = 2 / (n_resamples + 1)
    caveat = f"The smallest possible p of a bootstrap of {n_resamples:,} resamples is {smallest:.2g}"
    tested = sum(not math.isnan(comparison.primary_test.p) for comparison in comparisons)
    corrected = smallest * tested
    if corrected <= _SIGNIFICANCE_LEVEL:
        return f"{caveat}."
    return (
        f"{caveat}, or {min(1, corrected):.2g} after Holm's correction for {tested} differences: use more "
        "--bootstrap-samples, or fewer --metric."
    )


def multi_run_caveats(
    groups: Sequence[RunEvaluations],
    names: Sequence[str],
    comparisons: Sequence[MetricComparison],
    *,
    all_pairs: bool = False,
) -> tuple[str, ...]:
    """Return the caveats of a comparison of groups of runs, one sentence each.

    Parameters
    ----------
    groups
        Evaluations of the runs of each group.
    names
        Names of the groups.
    comparisons
        Comparisons of all pairs of groups.
    all_pairs
        Whether all pairs of groups are compared, not only the first with each other.
    """
    keys = list(dict.fromkeys((comparison.metric, comparison.scope) for comparison in comparisons))
    undefined = _undefined_caveat(comparisons)
    return (
        *_RUN_CAVEATS,
        *_unpaired_caveats(groups, names, all_pairs=all_pairs),
        *([undefined] if undefined else []),
        *_undefined_metrics_caveats(groups, names, keys),
        *_absent_classes_caveats(groups, names, keys),
        *_different_images_caveats(groups, names),
    )


def _unpaired_caveats(
    groups: Sequence[RunEvaluations], names: Sequence[str], *, all_pairs: bool
) -> list[str]:
    caveats = []
    for a, b in select_pairs(names, all_pairs=all_pairs):
        n_common = len(set(groups[a]) & set(groups[b]))
        largest = max(len(groups[a]), len(groups[b]))
        common = f"{names[a]} and {names[b]} have {n_common} of up to {largest} run names in common"
        if n_common < MIN_RUNS_TO_COMPARE:
            caveats.append(f"{common}: runs cannot be paired, and p is that of the independent t-test.")
        elif n_common < largest:
            caveats.append(f"{common}: only these are paired.")
    return caveats


def _undefined_metrics_caveats(
    groups: Sequence[RunEvaluations], names: Sequence[str], keys: Sequence[MetricKey]
) -> list[str]:
    """List the runs that are excluded from the comparison of a metric."""
    caveats = []
    for key in keys:
        undefined = [
            f"{missing} of {len(runs)} runs of {name}"
            for name, runs in zip(names, groups, strict=True)
            if (missing := sum(math.isnan(evaluation.value(*key)) for evaluation in runs.values()))
        ]
        if undefined:
            caveats.append(
                f"{format_metric(*key)} is undefined in {' and '.join(undefined)}: they are excluded from its "
                "comparison."
            )
    return caveats


def _absent_classes_caveats(
    groups: Sequence[RunEvaluations], names: Sequence[str], keys: Sequence[MetricKey]
) -> list[str]:
    """List classes without images in some runs of a group, but not in all: their averages are over other classes."""
    if not any(METRICS[metric].is_average(scope) for metric, scope in keys):
        return []
    caveats = []
    for runs, name in zip(groups, names, strict=True):
        absent = Counter(
            class_name
            for evaluation in runs.values()
            for class_name, count in zip(evaluation.classes, evaluation.support, strict=True)
            if not count
        )
        listed = [
            f"{display_name(class_name)} in {missing} of {len(runs)}"
            for class_name, missing in absent.items()
            if missing < len(runs)
        ]
        if listed:
            caveats.append(
                f"Runs of {name} without images of a class: {format_examples(listed)}. Their averages over classes are "
                "over fewer classes than those of the other runs."
            )
    return caveats


def _different_images_caveats(groups: Sequence[RunEvaluations], names: Sequence[str]) -> list[str]:
    """List runs of the same name that have different numbers of images per class, hence different test images."""
    caveats = []
    for runs, name in zip(groups[1:], names[1:], strict=True):
        different = [
            run
            for run, evaluation in runs.items()
            if run in groups[0] and not _same_support(evaluation, groups[0][run])
        ]
        if different:
            caveats.append(
                f"{name} was evaluated on other test images than {names[0]} (other class counts in "
                f"{format_examples(different)}): the images may cause the difference."
            )
    return caveats


def _same_support(evaluation_a: EvaluationResult, evaluation_b: EvaluationResult) -> bool:
    return dict(zip(evaluation_a.classes, evaluation_a.support, strict=True)) == dict(
        zip(evaluation_b.classes, evaluation_b.support, strict=True)
    )
