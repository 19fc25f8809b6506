"""What is compared with what: the differences of a pair of models or of groups of runs, metric by metric."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lesionlens.evaluation.compare.comparison import Comparison
from lesionlens.evaluation.compare.holm import holm
from lesionlens.evaluation.compare.values import Key
from lesionlens.evaluation.measures import ALL, MACRO
from lesionlens.evaluation.multilabel import OTHERS

_OF_ONE = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")
_OF_MANY = ("auc", "average_precision", "specificity", "f1")  # the mean sensitivity is the balanced accuracy
_OVERALL = (("balanced_accuracy", ALL), ("accuracy", ALL))


@dataclass(frozen=True)
class Contrast:
    """One metric of two models or groups.

    Attributes
    ----------
    first, second
        What they are called; the difference is of the first less the second.
    metric, of
        As in an evaluation.
    values
        Of the first and the second; over runs their means.
    interval
        The comparison that gives the difference and its interval.
    judged
        The comparison that gives p.
    others
        What further tests say.
    holm
        p of ``judged``, corrected for all that is shown beside it.
    """

    first: str
    second: str
    metric: str
    of: str
    values: tuple[float, float]
    interval: Comparison
    judged: Comparison
    others: tuple[Comparison, ...] = ()
    holm: float = float("nan")

    @property
    def tests(self) -> tuple[Comparison, ...]:
        """Every comparison once, that which gives p first."""
        return tuple(dict.fromkeys((self.judged, self.interval, *self.others)))


@dataclass(frozen=True)
class Contrasts:
    """All that is shown together.

    Attributes
    ----------
    over
        Of how much: images and lesions, or runs.
    notes
        What to know about it.
    settings
        How it was computed: name -> value.
    """

    contrasts: tuple[Contrast, ...]
    over: str
    notes: tuple[str, ...]
    settings: dict[str, str | int | float]

    def noted(self, notes: Iterable[str]) -> "Contrasts":
        """Put more notes before those that are there."""
        return replace(self, notes=(*notes, *self.notes))

    def pairs(self) -> list[tuple[Contrast, ...]]:
        """Group by the pair that is compared."""
        grouped = itertools.groupby(self.contrasts, key=lambda each: (each.first, each.second))
        return [tuple(each) for _, each in grouped]


def which_pairs(names: Sequence[str], *, every: bool = False) -> list[tuple[int, int]]:
    """Give the places of what is compared: the first with each other, or every one with every other.

    Examples
    --------
    >>> which_pairs(["a", "b", "c"]), which_pairs(["a", "b", "c"], every=True)
    ([(0, 1), (0, 2)], [(0, 1), (0, 2), (1, 2)])
    """
    pairs = itertools.combinations(range(len(names)), 2)
    return [pair for pair in pairs if every or pair[0] == 0]


def usual(classes: Sequence[str], *, there: Iterable[str], rest: str = "") -> list[Key]:
    """Give the metrics that are compared where none are asked for: of two classes those of the sought one.

    Examples
    --------
    >>> usual(["other", "melanoma"], there=["other", "melanoma"])[:2]
    [('auc', 'melanoma'), ('average_precision', 'melanoma')]
    >>> usual(["a", "b", "c"], there=["a", "b", "c"], rest="c")[:3]
    [('auc', 'a'), ('auc', 'b'), ('auc', 'macro')]
    """
    if len(classes) == 2:
        sought = classes[0] if classes[1] in OTHERS and classes[0] not in OTHERS else classes[1]
        return [*((metric, sought) for metric in _OF_ONE), *_OVERALL]
    labelled = set(there)
    asked = [name for name in classes if name in labelled and name != rest]
    return [*(("auc", name) for name in asked), *((metric, MACRO) for metric in _OF_MANY), *_OVERALL]


def corrected(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """Correct the p of all that is shown together (Holm 1979)."""
    adjusted = holm([each.judged.p for each in contrasts])
    return tuple(replace(each, holm=float(p)) for each, p in zip(contrasts, adjusted, strict=True))
