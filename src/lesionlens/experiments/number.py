"""A measured number beside the published one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lesionlens.evaluation.evaluation import REMARKS
from lesionlens.experiments.measured import Value
from lesionlens.experiments.row import Published
from lesionlens.training.over_runs import FEWEST, over_runs

IntervalOf = Literal["runs", "folds", "lesions", ""]
INTERVALS: dict[str, str] = {
    "runs": "Student's t over runs",
    "folds": "Student's t over folds, which share training images: somewhat narrow",
    "lesions": "bootstrap over lesions of the test images: what other seeds would give is not in it",
}


@dataclass(frozen=True)
class Number:
    """What is measured and what was published in one cell of a table, both in the table's unit.

    Attributes
    ----------
    row, column
        Of the experiment.
    published
        None where the paper gives none or it is lost.
    mean, sd
        Over runs, the standard deviation with n - 1; NaN where not defined.
    n, planned
        Runs in which it is defined, and runs that were planned.
    low, high, interval_of
        95 % interval of the mean and over what; NaN and "" where there is none.
    part
        What it was measured on.
    notes
        Why there is no number, or what to know of it.
    """

    row: str
    column: str
    published: Published | None
    mean: float
    sd: float
    n: int
    planned: int
    low: float
    high: float
    interval_of: IntervalOf
    part: str
    notes: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Measured less published; NaN where one is missing."""
        return self.mean - self.published.value if self.published else math.nan

    @property
    def inside(self) -> bool | None:
        """Whether the published number lies in the measured interval; None where there is no such question."""
        if self.published is None or math.isnan(self.low):
            return None
        return self.low <= self.published.value <= self.high

    @property
    def within_spread(self) -> bool | None:
        """Whether the measured mean lies within the published number's own spread, where it has one."""
        if self.published is None or self.published.spread is None or not self.n:
            return None
        return abs(self.difference) <= self.published.spread


def number(
    row: str,
    column: str,
    found: Sequence[Value],
    *,
    published: Published | None,
    planned: int,
    scale: float = 1,
    bounds: tuple[float, float] = (0, 1),
    why: str = "",
) -> Number:
    """Sum up the runs of a row in a column.

    The interval is Student's over runs from three runs on that differ; else the runs' bootstrap intervals over lesions
    are averaged bound by bound.

    Parameters
    ----------
    found
        Of each run.
    planned
        How many runs there should be.
    scale
        What a fraction is multiplied by: 100 for percent.
    bounds
        Where the interval is cut: what the number cannot exceed.
    why
        Why nothing was measured, where that is known.
    """
    known = [each for each in found if math.isfinite(each.value)]
    over = over_runs([each.value for each in known])
    low, high, interval_of = over.low, over.high, _kind(known)
    if over.n < FEWEST or over.sd == 0:
        low, high = (_mean([getattr(each, name) for each in known]) for name in ("low", "high"))
        interval_of = "lesions"
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if math.isnan(low) or math.isnan(high):
        low, high, interval_of = math.nan, math.nan, ""
    remarks = [why, *(_remarks(each.note, interval_of) for each in found)]
    notes = tuple(dict.fromkeys(filter(None, remarks)))
    return Number(
        row, column, published, scale * over.mean, scale * over.sd, over.n, planned, scale * low, scale * high,
        interval_of, " and ".join(dict.fromkeys(each.part for each in known)), notes,
    )  # fmt: skip


def _kind(found: Sequence[Value]) -> IntervalOf:
    return "folds" if len({each.fold for each in found}) > 1 else "runs"


def _remarks(note: str, interval_of: IntervalOf) -> str:
    """Leave out what is said of an interval over lesions where that is not the one shown."""
    kept = [each for each in note.split(REMARKS) if interval_of == "lesions" or "interval" not in each]
    return REMARKS.join(kept)


def _mean(bounds: Sequence[float]) -> float:
    return math.fsum(bounds) / len(bounds) if bounds else math.nan
