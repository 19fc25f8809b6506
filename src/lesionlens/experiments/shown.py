"""How numbers of a table are written for people."""

import math
from typing import NamedTuple

from lesionlens.evaluation.wording import UNDEFINED
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.number import Number
from lesionlens.experiments.ordering import Ordering
from lesionlens.experiments.verdict import Verdict

INSIDE, OUTSIDE = "●", "○"  # told apart in black and white
FEWEST_DIGITS = {"fraction": 3, "percent": 1}
MOST_DIGITS = 4


class Shown(NamedTuple):
    """A number of the table in words; what does not exist is ""."""

    value: str
    interval: str
    sd: str
    published: str
    difference: str
    mark: str
    spread: str
    notes: tuple[int, ...]


class ShownOrdering(NamedTuple):
    """An ordering in words."""

    ordering: Ordering
    published: str
    difference: str
    interval: str
    p: str
    sign_flip: str


class Writing:
    """Writes the numbers of one verdict, all with the same digits, and gathers the notes under them.

    Attributes
    ----------
    notes
        Each different note once, in the order in which they were met: note n is called n + 1.
    """

    def __init__(self, found: Verdict) -> None:
        self.notes: list[str] = []
        self._comparable = found.comparable
        self._digits = digits(found.results.experiment)

    def number(self, found: Number) -> Shown:
        """Write a number; the mark says whether the published one lies in the interval, where that is a question."""
        published = found.published
        said = "" if published is None else self._text(published.value)
        if published is not None and published.spread is not None:
            said = f"{said} ± {self._text(published.spread)}"
        mark = "" if found.inside is None or not self._comparable else INSIDE if found.inside else OUTSIDE
        within = found.within_spread if self._comparable else None
        return Shown(
            value=self._text(found.mean),
            interval=self._interval(found),
            sd="" if math.isnan(found.sd) else self._text(found.sd),
            published=said,
            difference=self._signed(found.difference),
            mark=mark,
            spread="" if within is None else f"{'within' if within else 'beyond'} the paper's ±",
            notes=tuple(self._note(note) for note in found.notes),
        )

    def ordering(self, found: Ordering) -> ShownOrdering:
        """Write an ordering."""
        interval = "" if math.isnan(found.low) else f"{self._signed(found.low)} to {self._signed(found.high)}"
        opposite = found.word.startswith("opposite")
        p = found.p_two_sided_holm if opposite else found.p_holm
        return ShownOrdering(
            found, self._signed(found.published) or UNDEFINED, self._signed(found.difference) or UNDEFINED, interval,
            f"{probability(p)}{' two-sided' if opposite else ''}" if math.isfinite(p) else UNDEFINED,
            probability(found.p_sign_flip) if math.isfinite(found.p_sign_flip) else "",
        )  # fmt: skip

    def _note(self, note: str) -> int:
        if note not in self.notes:
            self.notes.append(note)
        return self.notes.index(note) + 1

    def _interval(self, found: Number) -> str:
        if math.isnan(found.low):
            return ""
        between = " to " if found.low < 0 else "–"
        return f"{self._text(found.low)}{between}{self._text(found.high)}"

    def _text(self, value: float) -> str:
        return UNDEFINED if math.isnan(value) else f"{value:.{self._digits}f}".replace("-", "−")

    def _signed(self, value: float) -> str:
        if math.isnan(value):
            return ""
        text = f"{value:+.{self._digits}f}"
        return "±" + text[1:] if not float(text) else text.replace("-", "−")


def digits(experiment: Experiment) -> int:
    """Give as many digits as the published numbers have, within reason."""
    said = [each.value for row in experiment.rows for each in row.published.values()]
    own = [len(repr(value).partition(".")[2]) for value in said if value != int(value)]
    return min(MOST_DIGITS, max([FEWEST_DIGITS[experiment.unit], *own]))


def probability(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> probability(0.0312), probability(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
