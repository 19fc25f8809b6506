"""Cells of a table: the measured value over runs next to the published one."""

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
    "folds": "Student's t over folds; as folds share training images, it is somewhat narrow",
    "lesions": "bootstrap over lesions of the test images; the variation between seeds is not included",
}


@dataclass(frozen=True)
class TableCell:
    """Measured and published value of one cell of a table, in the table's unit.

    Attributes
    ----------
    row, column
        Names of row and column.
    published
        Published value; None if the paper gives none or it is lost.
    mean, std
        Mean and standard deviation (n - 1) over runs; NaN if undefined.
    num_runs, num_planned
        Number of runs with a value, and of planned runs.
    low, high, interval_source
        95 % interval of the mean, and its source: a key of ``INTERVAL_SOURCES``; NaN and "" if there is none.
    measured_on
        ``test``, ``validation`` or the name of a generated set.
    notes
        Reasons for missing values, and remarks.
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
        """Measured minus published value; NaN if one is missing."""
        return self.mean - self.published.value if self.published else math.nan

    @property
    def is_complete(self) -> bool:
        """Whether every planned run, at least one, has a value."""
        return self.num_runs == self.num_planned > 0

    @property
    def published_in_interval(self) -> bool | None:
        """Whether the published value is in the interval over all planned runs; None if anything is missing."""
        if self.published is None or math.isnan(self.low) or not self.is_complete:
            return None
        return self.low <= self.published.value <= self.high

    @property
    def within_spread(self) -> bool | None:
        """Whether the mean of all planned runs is within the published spread; None if anything is missing."""
        if self.published is None or self.published.spread is None or not self.is_complete:
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
    """Summarize the runs of a row in a column.

    The interval is Student's t over runs if there are three or more and they differ. Otherwise it is the mean of the
    runs' bootstrap intervals over lesions, bound by bound.

    Parameters
    ----------
    values
        Value of each run.
    num_planned
        Number of planned runs.
    scale
        Factor from a fraction to the table's unit: 100 for percent.
    bounds
        Smallest and largest possible value, to which the interval is clipped.
    missing_reason
        Reason why runs are missing, if known.
    """
    defined = [run for run in values if math.isfinite(run.value)]
    summary = summarize([run.value for run in defined])
    low, high, interval_source = summary.low, summary.high, _runs_or_folds(defined)
    if summary.n < MIN_RUNS or summary.std == 0:
        low, high = (_mean([getattr(run, bound) for run in defined]) for bound in ("low", "high"))
        interval_source = "lesions"
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if math.isnan(low) or math.isnan(high):
        low, high, interval_source = math.nan, math.nan, ""
    notes = [missing_reason, *(_relevant_caveats(run.note, interval_source) for run in values)]
    return TableCell(
        row, column, published, scale * summary.mean, scale * summary.std, summary.n, num_planned, scale * low,
        scale * high, interval_source, " and ".join(dict.fromkeys(run.measured_on for run in defined)),
        tuple(dict.fromkeys(filter(None, notes))),
    )  # fmt: skip


def _runs_or_folds(values: Sequence[RunValue]) -> IntervalSource:
    return "folds" if len({run.fold for run in values}) > 1 else "runs"


def _relevant_caveats(note: str, interval_source: IntervalSource) -> str:
    """Remove caveats about the interval over lesions if another interval is shown."""
    caveats = note.split(CAVEAT_SEPARATOR)
    if interval_source != "lesions":
        caveats = [caveat for caveat in caveats if "interval" not in caveat]
    return CAVEAT_SEPARATOR.join(caveats)


def _mean(bounds: Sequence[float]) -> float:
    return math.fsum(bounds) / len(bounds) if bounds else math.nan
