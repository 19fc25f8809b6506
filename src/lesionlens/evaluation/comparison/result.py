"""Records of a comparison, the checks that all tests have in common, and Holm's correction."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ComparisonError, unknown_name_message
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metric import MACRO, OVERALL, MetricKey, Scope
from lesionlens.evaluation.registry import METRICS, TABULATED_METRICS
from lesionlens.evaluation.thresholds import positive_class

Alternative = Literal["two-sided", "less", "greater"]


class SignificanceResult(NamedTuple):
    """Difference with its interval and p-value; NaN for whatever the test does not provide.

    Attributes
    ----------
    difference
        Value of the first minus that of the second.
    low, high
        Bounds of the confidence interval (95 % by default); two-sided under every alternative.
    statistic
        Test statistic: t, z, W, χ² or a count.
    p
        p-value of no difference against the alternative: any difference, first ``less``, or first ``greater``.
    n
        Number of compared units.
    unit
        Unit that counts as independent: runs, images or lesions.
    test
        Name of the test.
    reason
        Why interval or p are undefined although the test provides them; "" if they are defined.
    """

    difference: float
    low: float
    high: float
    statistic: float
    p: float
    n: int
    unit: str
    test: str
    reason: str = ""


@dataclass(frozen=True)
class MetricComparison:
    """One metric compared between two models or groups of runs.

    Attributes
    ----------
    first, second
        Names of the models or groups; the difference is first minus second.
    metric, scope
        Metric and scope, as in an evaluation.
    values
        Values of the first and of the second; for groups of runs, their means.
    interval_result
        Test that provides the difference and its interval.
    primary_test
        Test that provides the reported p-value.
    additional_tests
        Results of further tests.
    p_holm
        p-value of ``primary_test``, corrected for all comparisons of the report.
    """

    first: str
    second: str
    metric: str
    scope: Scope
    values: tuple[float, float]
    interval_result: SignificanceResult
    primary_test: SignificanceResult
    additional_tests: tuple[SignificanceResult, ...] = ()
    p_holm: float = float("nan")

    @property
    def tests(self) -> tuple[SignificanceResult, ...]:
        """Distinct test results, the one with the reported p-value first."""
        return tuple(dict.fromkeys((self.primary_test, self.interval_result, *self.additional_tests)))


@dataclass(frozen=True)
class ComparisonReport:
    """All comparisons that are shown and corrected together.

    Attributes
    ----------
    comparisons
        One entry per metric and pair, grouped by pair.
    sample_description
        Size of the sample: images and lesions, or runs.
    caveats
        Limits of the comparison, one sentence each.
    settings
        Value of each setting by its name.
    """

    comparisons: tuple[MetricComparison, ...]
    sample_description: str
    caveats: tuple[str, ...]
    settings: dict[str, str | int | float]

    def with_caveats(self, caveats: Iterable[str]) -> "ComparisonReport":
        """Return a copy with more caveats, before the present ones."""
        return replace(self, caveats=(*caveats, *self.caveats))

    def group_by_pair(self) -> list[tuple[MetricComparison, ...]]:
        """Group the comparisons by pair of models or groups."""
        grouped = itertools.groupby(
            self.comparisons, key=lambda comparison: (comparison.first, comparison.second)
        )
        return [tuple(comparisons) for _, comparisons in grouped]


def select_pairs(names: Sequence[str], *, all_pairs: bool = False) -> list[tuple[int, int]]:
    """Return the indices of the pairs to compare: the first with every other, or all pairs.

    Examples
    --------
    >>> select_pairs(["a", "b", "c"]), select_pairs(["a", "b", "c"], all_pairs=True)
    ([(0, 1), (0, 2)], [(0, 1), (0, 2), (1, 2)])
    """
    pairs = itertools.combinations(range(len(names)), 2)
    return [pair for pair in pairs if all_pairs or pair[0] == 0]


def default_metrics(
    classes: Sequence[str], *, present: Iterable[str], other_class: str = ""
) -> list[MetricKey]:
    """Return the metrics to compare if none are specified; for two classes those of the positive class.

    Parameters
    ----------
    classes
        Names of the classes.
    present
        Classes that have images.
    other_class
        Class of images that belong to none of the target classes; "" if there is none.

    Examples
    --------
    >>> default_metrics(["other", "melanoma"], present=["other", "melanoma"])[:2]
    [('auc', 'melanoma'), ('average_precision', 'melanoma')]
    >>> default_metrics(["a", "b", "c"], present=["a", "b", "c"], other_class="c")[:3]
    [('auc', 'a'), ('auc', 'b'), ('auc', <Aggregate.MACRO: 'macro'>)]
    """
    # reversed: balanced accuracy before accuracy, which depends on the class frequencies
    overall: list[MetricKey] = [
        (name, OVERALL) for name, metric in reversed(METRICS.items()) if metric.overall_function
    ]
    if len(classes) == 2:
        positive = positive_class(tuple(classes))
        return [*((name, positive) for name in TABULATED_METRICS), *overall]
    with_images = set(present)
    targets = [name for name in classes if name in with_images and name != other_class]
    averages = [(name, MACRO) for name, metric in METRICS.items() if metric.is_compared_over_classes]
    return [*(("auc", name) for name in targets), *averages, *overall]


def check_sample(values: Sequence[float] | NDArray[np.floating], *, min_size: int) -> FloatArray:
    """Return one value per run as an array, (n,).

    Raises
    ------
    ComparisonError
        There are fewer than ``min_size`` values, or one is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < min_size:
        raise ComparisonError(f"{sample.size} runs are too few to compare: {min_size} or more are required")
    undefined = int((~np.isfinite(sample)).sum())
    if undefined:
        raise ComparisonError(
            f"{undefined} of {len(sample)} values are not finite: exclude those runs from both groups, and report it"
        )
    return sample


def paired_differences(
    a: Sequence[float] | NDArray[np.floating], b: Sequence[float] | NDArray[np.floating], *, min_size: int
) -> FloatArray:
    """Return first minus second of each pair, (n,), rounded to 12 decimals.

    Without rounding, 0.8 - 0.7 and 0.9 - 0.8 would have different ranks.

    Raises
    ------
    ComparisonError
        The numbers of values differ; otherwise as for `check_sample`.
    """
    first, second = check_sample(a, min_size=min_size), check_sample(b, min_size=min_size)
    if len(first) != len(second):
        raise ComparisonError(
            f"cannot pair {len(first)} and {len(second)} runs: a paired test needs one value per run from both groups, "
            "in the same order"
        )
    return np.round(first - second, 12)


def check_alternative(alternative: str) -> None:
    """Raise a ComparisonError if an alternative does not exist."""
    if alternative not in get_args(Alternative):
        raise ComparisonError(unknown_name_message("alternative", alternative, get_args(Alternative)))


def check_confidence(confidence: float) -> None:
    """Raise a ComparisonError if a confidence level is not between 0 and 1."""
    if not 0 < confidence < 1:
        raise ComparisonError(f"confidence={confidence}: it must be between 0 and 1, such as 0.95")


def check_boolean(flags: NDArray[Any]) -> BoolArray:
    """Return one boolean per image, (n,).

    Raises
    ------
    ComparisonError
        A value is not true, false, 1 or 0, or the array is not one-dimensional.
    """
    values = np.asarray(flags)
    if values.ndim != 1 or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ComparisonError(
            "a one-dimensional array of true and false, or 1 and 0, is required, one value per image; got shape "
            f"{values.shape}, {values.dtype}, such as {values.ravel()[:3].tolist()}"
        )
    return values.astype(np.bool_)


def count_as_extreme(permuted: FloatArray, observed: float, alternative: Alternative) -> int:
    """Count the permuted statistics, (r,), that are at least as extreme as the observed one, up to rounding errors."""
    check_alternative(alternative)
    slack = 1e-12 * max(1.0, abs(observed))
    if alternative == "less":
        return int((permuted <= observed + slack).sum())
    if alternative == "greater":
        return int((permuted >= observed - slack).sum())
    return int((np.abs(permuted) >= abs(observed) - slack).sum())


def holm(p_values: Sequence[float] | NDArray[np.floating]) -> FloatArray:
    """Adjust p-values, (m,), so that rejecting those below α keeps the family-wise error rate below α (Holm 1979).

    The smallest p is multiplied by m, the next by m - 1 and so on; an adjusted value is never below the previous one
    and never above 1. The guarantee holds for any dependence between the tests. NaN means not tested: it stays NaN and
    does not count.

    Raises
    ------
    ComparisonError
        A value is not a probability.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise ComparisonError(f"p-values are {p.tolist()}; allowed are numbers from 0 to 1")
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return adjusted


def apply_holm(comparisons: Sequence[MetricComparison]) -> tuple[MetricComparison, ...]:
    """Set the Holm-corrected p-value of each comparison."""
    adjusted = holm([comparison.primary_test.p for comparison in comparisons])
    return tuple(
        replace(comparison, p_holm=float(p)) for comparison, p in zip(comparisons, adjusted, strict=True)
    )
