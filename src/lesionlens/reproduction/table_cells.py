"""A measured number beside the published one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lesionlens.evaluation.result import CAVEAT_SEPARATOR
from lesionlens.reproduction.measurements import RunValue
from lesionlens.reproduction.spec import PublishedValue
from lesionlens.runs.run_statistics import MIN_RUNS, summarize

IntervalSource = Literal["runs", "folds", "lesions", ""]
INTERVAL_SOURCES: dict[str, str] = {
    "runs": "Student's t over runs",
    "folds": "Student's t over folds, which share training images: somewhat narrow",
    "lesions": "bootstrap over lesions of the test images: what other seeds would give is not in it",
}


@dataclass(frozen=True)
class TableCell:
    """What is measured and what was published in one cell of a table, both in the table's unit.

    Attributes
    ----------
    row, column
        Of the experiment.
    published
        None where the paper gives none or it is lost.
    mean, std
        Over runs, the standard deviation with n - 1; NaN where not defined.
    num_runs, num_planned
        Runs in which it is defined, and runs that were planned.
    low, high, interval_source
        95 % interval of the mean and over what; NaN and "" where there is none.
    measured_on
        What it was measured on.
    notes
        Why there is no number, or what to know of it.
    """

    row: str
    column: str
    published: PublishedValue | None
    mean: float
    std: float
    num_runs: int
    num_planned: int
    low: float
    high: float
    interval_source: IntervalSource
    measured_on: str
    notes: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Measured less published; NaN where one is missing."""
        return self.mean - self.published.value if self.published else math.nan

    @property
    def published_in_interval(self) -> bool | None:
        """Whether the published number lies in the measured interval; None where there is no such question."""
        if self.published is None or math.isnan(self.low):
            return None
        return self.low <= self.published.value <= self.high

    @property
    def within_spread(self) -> bool | None:
        """Whether the measured mean lies within the published number's own spread, where it has one."""
        if self.published is None or self.published.spread is None or not self.num_runs:
            return None
        return abs(self.difference) <= self.published.spread


def summarize_cell(
    row: str,
    column: str,
    values: Sequence[RunValue],
    *,
    published: PublishedValue | None,
    num_planned: int,
    scale: float = 1,
    bounds: tuple[float, float] = (0, 1),
    missing_reason: str = "",
) -> TableCell:
    """Sum up the runs of a row in a column.

    The interval is Student's over runs from three runs on that differ; else the runs' bootstrap intervals over lesions
    are averaged bound by bound.

    Parameters
    ----------
    values
        Of each run.
    num_planned
        How many runs there should be.
    scale
        What a fraction is multiplied by: 100 for percent.
    bounds
        Where the interval is cut: what the number cannot exceed.
    missing_reason
        Why nothing was measured, where that is known.
    """
    known = [each for each in values if math.isfinite(each.value)]
    over = summarize([each.value for each in known])
    low, high, interval_of = over.low, over.high, _interval_over(known)
    if over.n < MIN_RUNS or over.std == 0:
        low, high = (_mean([getattr(each, name) for each in known]) for name in ("low", "high"))
        interval_of = "lesions"
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if math.isnan(low) or math.isnan(high):
        low, high, interval_of = math.nan, math.nan, ""
    remarks = [missing_reason, *(_relevant_caveats(each.note, interval_of) for each in values)]
    notes = tuple(dict.fromkeys(filter(None, remarks)))
    return TableCell(
        row, column, published, scale * over.mean, scale * over.std, over.n, num_planned, scale * low, scale * high,
        interval_of, " and ".join(dict.fromkeys(each.measured_on for each in known)), notes,
    )  # fmt: skip


def _interval_over(values: Sequence[RunValue]) -> IntervalSource:
    return "folds" if len({each.fold for each in values}) > 1 else "runs"


def _relevant_caveats(note: str, interval_source: IntervalSource) -> str:
    """Leave out what is said of an interval over lesions where that is not the one shown."""
    kept = [
        each
        for each in note.split(CAVEAT_SEPARATOR)
        if interval_source == "lesions" or "interval" not in each
    ]
    return CAVEAT_SEPARATOR.join(kept)


def _mean(bounds: Sequence[float]) -> float:
    return math.fsum(bounds) / len(bounds) if bounds else math.nan
