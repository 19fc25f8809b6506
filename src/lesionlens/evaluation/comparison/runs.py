"""Groups of runs compared: recipes that were trained several times, run by run."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison.result import (
    ComparisonReport,
    MetricComparison,
    SignificanceResult,
    apply_holm,
    default_metrics,
    select_pairs,
)
from lesionlens.evaluation.comparison.tests import (
    paired_t,
    sign_flip_permutation_test,
    two_sample_t,
    wilcoxon,
)
from lesionlens.evaluation.compute import MetricKey, check_metric_keys
from lesionlens.evaluation.predictions import format_examples
from lesionlens.evaluation.result import EvaluationResult

RunEvaluations = Mapping[str, EvaluationResult]
_UNDEFINED_RESULT = SignificanceResult(
    math.nan, math.nan, math.nan, math.nan, math.nan, 0, "runs", "not defined"
)
_MIN_RUNS = 2
_CAVEATS = (
    "Pairs are runs or folds of the same name. p is of the paired t-test; the others are for comparison, and choosing "
    "among them by their p would be cheating.",
    "Runs differ in their seeds (or folds): p tells whether the recipes differ on these test images, not whether they "
    "would on others. Folds share training images, so their p is somewhat too small.",
)


def compare_runs(
    groups: Sequence[RunEvaluations],
    names: Sequence[str],
    *,
    keys: Sequence[MetricKey] = (),
    all_pairs: bool = False,
    confidence: float = 0.95,
) -> ComparisonReport:
    """Compare the first of several groups of runs with each other, or every one with every other.

    Difference, interval and p are of the paired t-test over the runs of the same name; Wilcoxon's, the sign flips' and
    the independent t-test's p are beside it. Where two groups share fewer than two names, the independent t-test
    takes its place and a note says so.

    Parameters
    ----------
    groups
        Name of the run -> its evaluation.
    keys
        Metrics and what they are of; none: the usual ones (see `default_metrics`).

    Raises
    ------
    ComparisonError
        Fewer than two groups or two runs in one, other classes, or a metric that does not exist.
    """
    classes = _check_groups(groups, names)
    asked = list(keys) or default_metrics(classes, present=classes)
    check_metric_keys(asked, classes)
    found = [
        _compare_groups(groups[one], groups[other], (names[one], names[other]), key, confidence)
        for one, other in select_pairs(names, all_pairs=all_pairs)
        for key in asked
    ]
    sizes = ", ".join(f"{name} {len(runs)}" for name, runs in zip(names, groups, strict=True))
    notes = [
        *_CAVEATS,
        *_unmatched(groups, names, all_pairs),
        *_undefined_metrics_caveats(groups, names, asked),
        *_different_images_caveats(groups, names),
    ]
    return ComparisonReport(apply_holm(found), f"runs: {sizes}", tuple(notes), {"confidence": confidence})


def _compare_groups(
    a: RunEvaluations, b: RunEvaluations, names: tuple[str, str], key: MetricKey, confidence: float
) -> MetricComparison:
    first, second = _finite_values(a, key), _finite_values(b, key)
    both = [name for name in first if name in second]
    apart = _UNDEFINED_RESULT
    if min(len(first), len(second)) >= _MIN_RUNS:
        apart = two_sample_t(list(first.values()), list(second.values()), confidence=confidence)
    if len(both) < _MIN_RUNS:
        return MetricComparison(*names, *key, (_mean(first.values()), _mean(second.values())), apart, apart)
    one, other = ([each[name] for name in both] for each in (first, second))
    pairs = paired_t(one, other, confidence=confidence)
    others = (wilcoxon(one, other), sign_flip_permutation_test(np.subtract(one, other)), apart)
    return MetricComparison(*names, *key, (_mean(one), _mean(other)), pairs, pairs, others)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known) if known else math.nan


def _finite_values(runs: RunEvaluations, key: MetricKey) -> dict[str, float]:
    found = {name: evaluation.value(*key) for name, evaluation in runs.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _check_groups(groups: Sequence[RunEvaluations], names: Sequence[str]) -> tuple[str, ...]:
    """Give the classes that all runs of all groups have."""
    if len(groups) < 2:
        raise ComparisonError(f"{len(groups)} groups of runs: give two or more to compare")
    for runs, name in zip(groups, names, strict=True):
        if len(runs) < _MIN_RUNS:
            raise ComparisonError(f"{name} has {len(runs)} finished runs: two or more are needed to compare")
    classes = next(iter(groups[0].values())).classes
    for runs, name in zip(groups, names, strict=True):
        strange = [run for run, each in runs.items() if set(each.classes) != set(classes)]
        if strange:
            raise ComparisonError(
                f"{name} has runs of other classes than {', '.join(classes)}: {format_examples(strange)}"
            )
    return classes


def _unmatched(groups: Sequence[RunEvaluations], names: Sequence[str], all_pairs: bool) -> list[str]:
    found = []
    for one, other in select_pairs(names, all_pairs=all_pairs):
        shared = len(set(groups[one]) & set(groups[other]))
        most = max(len(groups[one]), len(groups[other]))
        if shared < _MIN_RUNS:
            found.append(
                f"{names[one]} and {names[other]} share {shared} names of runs, so there are no pairs: their p is of "
                "the independent t-test."
            )
        elif shared < most:
            found.append(
                f"{names[one]} and {names[other]} share {shared} of up to {most} runs: pairs are of these."
            )
    return found


def _undefined_metrics_caveats(
    groups: Sequence[RunEvaluations], names: Sequence[str], keys: Sequence[MetricKey]
) -> list[str]:
    """Say which runs a metric is not compared in."""
    found = []
    for key in keys:
        without = [
            f"{len(runs) - len(_finite_values(runs, key))} of {len(runs)} runs of {name}"
            for name, runs in zip(names, groups, strict=True)
            if len(_finite_values(runs, key)) < len(runs)
        ]
        if without:
            found.append(
                f"{':'.join(key)} is not defined in {' and '.join(without)}: these are left out of it."
            )
    return found


def _different_images_caveats(groups: Sequence[RunEvaluations], names: Sequence[str]) -> list[str]:
    """Say where runs of one name cannot have been measured on the same images: their numbers differ."""
    found = []
    for runs, name in zip(groups[1:], names[1:], strict=True):
        other = [
            run for run, each in runs.items() if run in groups[0] and not _same_support(each, groups[0][run])
        ]
        if other:
            found.append(
                f"{name} was measured on other test images than {names[0]} ({format_examples(other)}: other numbers "
                "of a class): what differs may be the images."
            )
    return found


def _same_support(evaluation_a: EvaluationResult, evaluation_b: EvaluationResult) -> bool:
    return dict(zip(evaluation_a.classes, evaluation_a.support, strict=True)) == dict(
        zip(evaluation_b.classes, evaluation_b.support, strict=True)
    )
