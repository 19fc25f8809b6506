"""What is compared with what: the differences of a pair of models or of groups of runs, metric by metric."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lesionlens.evaluation.compare.comparison import SignificanceResult
from lesionlens.evaluation.compare.holm import holm
from lesionlens.evaluation.compare.values import MetricKey
from lesionlens.evaluation.measures import OVERALL, MACRO
from lesionlens.evaluation.multilabel import OTHER_CLASS_NAMES

_BINARY_METRICS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")
_MULTICLASS_METRICS = ("auc", "average_precision", "specificity", "f1")  # the mean sensitivity is the balanced accuracy
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
    >>> which_pairs(["a", "b", "c"]), which_pairs(["a", "b", "c"], every=True)
    ([(0, 1), (0, 2)], [(0, 1), (0, 2), (1, 2)])
    """
    pairs = itertools.combinations(range(len(names)), 2)
    return [pair for pair in pairs if all_pairs or pair[0] == 0]


def default_metrics(classes: Sequence[str], *, present: Iterable[str], other_class: str = "") -> list[MetricKey]:
    """Give the metrics that are compared where none are asked for: of two classes those of the sought one.

    Examples
    --------
    >>> usual(["other", "melanoma"], there=["other", "melanoma"])[:2]
    [('auc', 'melanoma'), ('average_precision', 'melanoma')]
    >>> usual(["a", "b", "c"], there=["a", "b", "c"], rest="c")[:3]
    [('auc', 'a'), ('auc', 'b'), ('auc', 'macro')]
    """
    if len(classes) == 2:
        sought = classes[0] if classes[1] in OTHER_CLASS_NAMES and classes[0] not in OTHER_CLASS_NAMES else classes[1]
        return [*((metric, sought) for metric in _BINARY_METRICS), *_OVERALL_METRICS]
    labelled = set(present)
    asked = [name for name in classes if name in labelled and name != other_class]
    return [*(("auc", name) for name in asked), *((metric, MACRO) for metric in _MULTICLASS_METRICS), *_OVERALL_METRICS]


def apply_holm(comparisons: Sequence[MetricComparison]) -> tuple[MetricComparison, ...]:
    """Correct the p of all that is shown together (Holm 1979)."""
    adjusted = holm([each.primary_test.p for each in comparisons])
    return tuple(replace(each, p_holm=float(p)) for each, p in zip(comparisons, adjusted, strict=True))
