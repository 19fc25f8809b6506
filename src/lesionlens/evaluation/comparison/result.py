"""The record of a comparison, and what every test of it checks first."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ComparisonError, unknown_name_message
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.compute import MACRO, OVERALL, MetricKey
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES

Alternative = Literal["two-sided", "less", "greater"]


class SignificanceResult(NamedTuple):
    """A difference, and what a test says of it; NaN is what the test does not give.

    Attributes
    ----------
    difference
        Of the first less the second.
    low, high
        Its 95 % interval, or of another confidence where one was given; two-sided under every alternative.
    statistic
        What the test is named for: t, z, W, χ² or a count.
    p
        Of no difference, against the alternative: of any difference, of the first being ``less``, or ``greater``.
    n
        How many units were compared.
    unit
        What counts as independent of each other: runs, images or lesions.
    test
        Its name.
    """

    difference: float
    low: float
    high: float
    statistic: float
    p: float
    n: int
    unit: str
    test: str


def check_sample(values: Sequence[float] | NDArray[np.floating], *, min_size: int) -> FloatArray:
    """Take one number a run, (n,).

    Raises
    ------
    ComparisonError
        Fewer than ``min_size`` numbers, or one that is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < min_size:
        raise ComparisonError(f"{found.size} runs are too few to compare: {min_size} or more are needed")
    wrong = int((~np.isfinite(found)).sum())
    if wrong:
        raise ComparisonError(
            f"{wrong} of {len(found)} numbers are not defined: leave those runs out on both sides, and say so"
        )
    return found


def paired_differences(
    a: Sequence[float] | NDArray[np.floating], b: Sequence[float] | NDArray[np.floating], *, min_size: int
) -> FloatArray:
    """Give the first less the second of each pair, (n,); a ComparisonError says why they are no pairs.

    Rounded to twelve digits, lest 0.8 - 0.7 and 0.9 - 0.8 are of different rank.
    """
    first, second = check_sample(a, min_size=min_size), check_sample(b, min_size=min_size)
    if len(first) != len(second):
        raise ComparisonError(
            f"{len(first)} and {len(second)} runs are no pairs: give the two numbers of each run in the same order"
        )
    return np.round(first - second, 12)


def check_alternative(alternative: str) -> None:
    """Refuse an alternative that does not exist."""
    if alternative not in get_args(Alternative):
        raise ComparisonError(unknown_name_message("alternative", alternative, get_args(Alternative)))


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is no share."""
    if not 0 < confidence < 1:
        raise ComparisonError(f"confidence={confidence}: a number between 0 and 1 is needed, such as 0.95")


def check_boolean(flags: NDArray[Any]) -> BoolArray:
    """Take one true or false an image, (n,); words and NaN are neither.

    Raises
    ------
    ComparisonError
        Anything but true and false, or 1 and 0; or not one value an image.
    """
    found = np.asarray(flags)
    if found.ndim != 1 or found.dtype.kind not in "biuf" or not np.isin(found, (0, 1)).all():
        raise ComparisonError(
            f"true or false, or 1 or 0, is needed for each image, in one row; it is an array of {found.shape}, "
            f"{found.dtype}, such as {found.ravel()[:3].tolist()}"
        )
    return found.astype(np.bool_)


def count_as_extreme(permuted: FloatArray, observed: float, alternative: Alternative) -> int:
    """Count the draws, (r,), that lie at or beyond what was observed, rounding errors forgiven."""
    check_alternative(alternative)
    slack = 1e-12 * max(1.0, abs(observed))
    if alternative == "less":
        return int((permuted <= observed + slack).sum())
    if alternative == "greater":
        return int((permuted >= observed - slack).sum())
    return int((np.abs(permuted) >= abs(observed) - slack).sum())


def holm(p_values: Sequence[float] | NDArray[np.floating]) -> FloatArray:
    """Adjust p-values, (m,), so that comparing each with α keeps the chance of any false finding below α.

    Holm 1979: the smallest times m, the next times m - 1 and so on, never below the one before, never above 1. It
    holds however the tests depend on each other. What is NaN was not tested: it stays NaN and does not count.

    Raises
    ------
    ComparisonError
        A number that is no probability.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    found = np.asarray(p_values, dtype=np.float64)
    if ((found < 0) | (found > 1)).any():
        raise ComparisonError(f"p-values are {found.tolist()}; allowed are numbers from 0 to 1")
    tested = np.flatnonzero(~np.isnan(found))
    order = tested[np.argsort(found[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(found), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * found[order]))
    return adjusted


_BINARY_METRICS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")
# the mean sensitivity is the balanced accuracy
_MULTICLASS_METRICS = ("auc", "average_precision", "specificity", "f1")
_OVERALL_METRICS = (("balanced_accuracy", OVERALL), ("accuracy", OVERALL))


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two models or groups.

    Attributes
    ----------
    first, second
        What they are called; the difference is of the first less the second.
    metric, scope
        As in an evaluation.
    values
        Of the first and the second; over runs their means.
    interval_result
        The comparison that gives the difference and its interval.
    primary_test
        The comparison that gives p.
    additional_tests
        What further tests say.
    p_holm
        p of ``primary_test``, corrected for all that is shown beside it.
    """

    first: str
    second: str
    metric: str
    scope: str
    values: tuple[float, float]
    interval_result: SignificanceResult
    primary_test: SignificanceResult
    additional_tests: tuple[SignificanceResult, ...] = ()
    p_holm: float = float("nan")

    @property
    def tests(self) -> tuple[SignificanceResult, ...]:
        """Every comparison once, that which gives p first."""
        return tuple(dict.fromkeys((self.primary_test, self.interval_result, *self.additional_tests)))


@dataclass(frozen=True)
class ComparisonReport:
    """All that is shown together.

    Attributes
    ----------
    sample_description
        Of how much: images and lesions, or runs.
    caveats
        What to know about it.
    settings
        How it was computed: name -> value.
    """

    comparisons: tuple[MetricComparison, ...]
    sample_description: str
    caveats: tuple[str, ...]
    settings: dict[str, str | int | float]

    def with_caveats(self, caveats: Iterable[str]) -> "ComparisonReport":
        """Put more notes before those that are there."""
        return replace(self, caveats=(*caveats, *self.caveats))

    def group_by_pair(self) -> list[tuple[MetricComparison, ...]]:
        """Group by the pair that is compared."""
        grouped = itertools.groupby(self.comparisons, key=lambda each: (each.first, each.second))
        return [tuple(each) for _, each in grouped]


def select_pairs(names: Sequence[str], *, all_pairs: bool = False) -> list[tuple[int, int]]:
    """Give the places of what is compared: the first with each other, or every one with every other.

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
    """Give the metrics that are compared where none are asked for: of two classes those of the sought one.

    Examples
    --------
    >>> default_metrics(["other", "melanoma"], present=["other", "melanoma"])[:2]
    [('auc', 'melanoma'), ('average_precision', 'melanoma')]
    >>> default_metrics(["a", "b", "c"], present=["a", "b", "c"], other_class="c")[:3]
    [('auc', 'a'), ('auc', 'b'), ('auc', 'macro')]
    """
    if len(classes) == 2:
        sought = (
            classes[0]
            if classes[1] in OTHER_CLASS_NAMES and classes[0] not in OTHER_CLASS_NAMES
            else classes[1]
        )
        return [*((metric, sought) for metric in _BINARY_METRICS), *_OVERALL_METRICS]
    labelled = set(present)
    asked = [name for name in classes if name in labelled and name != other_class]
    return [
        *(("auc", name) for name in asked),
        *((metric, MACRO) for metric in _MULTICLASS_METRICS),
        *_OVERALL_METRICS,
    ]


def apply_holm(comparisons: Sequence[MetricComparison]) -> tuple[MetricComparison, ...]:
    """Correct the p of all that is shown together (Holm 1979)."""
    adjusted = holm([each.primary_test.p for each in comparisons])
    return tuple(replace(each, p_holm=float(p)) for each, p in zip(comparisons, adjusted, strict=True))
