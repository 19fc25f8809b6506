"""Compare groups of runs: recipes that were trained several times, run by run."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from lesionlens.core.errors import ComparisonError
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.comparison.caveats import MIN_RUNS_TO_COMPARE, RunEvaluations, multi_run_caveats
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
from lesionlens.evaluation.metric import MetricKey
from lesionlens.evaluation.predictions import format_examples
from lesionlens.evaluation.registry import check_metric_keys

_UNDEFINED_RESULT = SignificanceResult(
    math.nan, math.nan, math.nan, math.nan, math.nan, 0, "runs", "not defined", "undefined in too many runs"
)


def compare_runs(
    groups: Sequence[RunEvaluations],
    names: Sequence[str],
    *,
    keys: Sequence[MetricKey] = (),
    all_pairs: bool = False,
    confidence: float = 0.95,
) -> ComparisonReport:
    """Compare the first of several groups of runs with every other, or all pairs of groups.

    Difference, interval and p are those of the paired t-test over runs of the same name. The p-values of Wilcoxon's
    test, the sign-flip test and the independent t-test are additional. If two groups have fewer than two run names in
    common, the independent t-test replaces the paired one, and a caveat reports it.

    Parameters
    ----------
    groups
        Evaluation of each run by its name, for each group.
    names
        Names of the groups.
    keys
        Metrics and scopes to compare; default: see `default_metrics`.
    all_pairs
        Whether to compare all pairs of groups, not only the first with each other.
    confidence
        Confidence level of the intervals, between 0 and 1.

    Raises
    ------
    ComparisonError
        There are fewer than two groups, a group has fewer than two runs, classes differ, or a metric does not exist.
    """
    classes = common_classes(groups, names)
    keys = list(keys) or default_metrics(classes, present=classes)
    check_metric_keys(keys, classes)
    comparisons = [
        _compare_groups(groups[a], groups[b], (names[a], names[b]), key, confidence)
        for a, b in select_pairs(names, all_pairs=all_pairs)
        for key in keys
    ]
    sizes = ", ".join(f"{name} {len(runs)}" for name, runs in zip(names, groups, strict=True))
    return ComparisonReport(
        apply_holm(comparisons),
        f"runs: {sizes}",
        multi_run_caveats(groups, names, comparisons, all_pairs=all_pairs),
        {"confidence": confidence},
    )


def _compare_groups(
    a: RunEvaluations, b: RunEvaluations, names: tuple[str, str], key: MetricKey, confidence: float
) -> MetricComparison:
    values_a, values_b = _finite_values(a, key), _finite_values(b, key)
    common = [name for name in values_a if name in values_b]
    independent = _UNDEFINED_RESULT
    if min(len(values_a), len(values_b)) >= MIN_RUNS_TO_COMPARE:
        independent = two_sample_t(list(values_a.values()), list(values_b.values()), confidence=confidence)
    if len(common) < MIN_RUNS_TO_COMPARE:
        means = _mean(values_a.values()), _mean(values_b.values())
        return MetricComparison(*names, *key, means, independent, independent)
    paired_a, paired_b = ([values[name] for name in common] for values in (values_a, values_b))
    paired = paired_t(paired_a, paired_b, confidence=confidence)
    additional = (
        wilcoxon(paired_a, paired_b),
        sign_flip_permutation_test(np.subtract(paired_a, paired_b)),
        independent,
    )
    return MetricComparison(*names, *key, (_mean(paired_a), _mean(paired_b)), paired, paired, additional)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known) if known else math.nan


def _finite_values(runs: RunEvaluations, key: MetricKey) -> dict[str, float]:
    values = {name: evaluation.value(*key) for name, evaluation in runs.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def common_classes(groups: Sequence[RunEvaluations], names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that all runs of all groups have.

    Raises
    ------
    ComparisonError
        There are fewer than two groups, a group has fewer than two runs, or classes differ.
    """
    if len(groups) < 2:
        raise ComparisonError(f"{len(groups)} group of runs: two or more are required for a comparison")
    for runs, name in zip(groups, names, strict=True):
        if len(runs) < MIN_RUNS_TO_COMPARE:
            raise ComparisonError(
                f"{name} has {pluralize(len(runs), 'finished run')}: two or more are required for a comparison"
            )
    classes = next(iter(groups[0].values())).classes
    for runs, name in zip(groups, names, strict=True):
        different = [run for run, evaluation in runs.items() if set(evaluation.classes) != set(classes)]
        if different:
            raise ComparisonError(
                f"{name} has runs with other classes than {', '.join(classes)}: {format_examples(different)}"
            )
    return classes
