"""A row's number in a column as it is drawn: the table's own, and the single runs."""

import math
from typing import NamedTuple

from lesionlens.experiments.measured import run_values
from lesionlens.experiments.metric import ColumnSpec
from lesionlens.experiments.number import summarize_cell
from lesionlens.experiments.results import TableResults

ERROR_BARS_CAPTION = "Bars: 95 % intervals of the mean over runs where three or more differ, else over lesions of the test part."


class Dot(NamedTuple):
    """Mean of a row's runs in the experiment's unit, how far its interval reaches below and above, and the runs."""

    mean: float
    below: float
    above: float
    runs: tuple[float, ...]

    @property
    def error_bars(self) -> list[list[float]]:
        """Give the interval as error bars take it."""
        return [[self.below], [self.above]]


def summarize_dot(results: TableResults, row: str, column_spec: ColumnSpec) -> Dot | None:
    """Sum up the finished runs of a row as the table does; None where no run has a number."""
    scale = 100 if results.spec.unit == "percent" else 1
    found = run_values(results, row, column_spec.name)
    runs = tuple(scale * each.value for each in found if math.isfinite(each.value))
    if not runs:
        return None
    bounds = (-math.inf, math.inf) if column_spec.minus else (0.0, 1.0)
    told = summarize_cell(row, column_spec.name, found, published=None, num_planned=len(found), scale=scale, bounds=bounds)
    return Dot(told.mean, _bar_length(told.mean - told.low), _bar_length(told.high - told.mean), runs)


def _bar_length(length: float) -> float:
    """Bars must not be negative; where there is no interval, there is no bar."""
    return max(0.0, length) if math.isfinite(length) else 0.0


def axis_label(results: TableResults, column_spec: ColumnSpec) -> str:
    """Name the axis of a column."""
    return f"{column_spec.name} (%)" if results.spec.unit == "percent" else column_spec.name
