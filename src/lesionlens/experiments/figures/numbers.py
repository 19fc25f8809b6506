"""A row's number in a column as it is drawn: the table's own, and the single runs."""

import math
from typing import NamedTuple

from lesionlens.experiments.measured import values
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.number import number
from lesionlens.experiments.results import Results

INTERVALS = "Bars: 95 % intervals of the mean over runs where three or more differ, else over lesions of the test part."


class Dot(NamedTuple):
    """Mean of a row's runs in the experiment's unit, how far its interval reaches below and above, and the runs."""

    mean: float
    below: float
    above: float
    runs: tuple[float, ...]

    @property
    def arms(self) -> list[list[float]]:
        """Give the interval as error bars take it."""
        return [[self.below], [self.above]]


def dot(results: Results, row: str, metric: Metric) -> Dot | None:
    """Sum up the finished runs of a row as the table does; None where no run has a number."""
    scale = 100 if results.experiment.unit == "percent" else 1
    found = values(results, row, metric.name)
    runs = tuple(scale * each.value for each in found if math.isfinite(each.value))
    if not runs:
        return None
    bounds = (-math.inf, math.inf) if metric.less else (0.0, 1.0)
    told = number(row, metric.name, found, published=None, planned=len(found), scale=scale, bounds=bounds)
    return Dot(told.mean, _arm(told.mean - told.low), _arm(told.high - told.mean), runs)


def _arm(length: float) -> float:
    """Bars must not be negative; where there is no interval, there is no bar."""
    return max(0.0, length) if math.isfinite(length) else 0.0


def axis(results: Results, metric: Metric) -> str:
    """Name the axis of a column."""
    return f"{metric.name} (%)" if results.experiment.unit == "percent" else metric.name
