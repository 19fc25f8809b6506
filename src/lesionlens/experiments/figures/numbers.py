"""A row's number in a column as it is drawn: mean over runs, interval, and the single runs."""

import math
from typing import NamedTuple

from lesionlens.experiments.experiment import Metric
from lesionlens.experiments.measured import values
from lesionlens.experiments.results import Results
from lesionlens.training.over_runs import FEWEST, of_shares, over_runs

INTERVALS = (
    "Bars: 95 % intervals, of the mean over runs where there are three or more, over lesions where there is "
    "one."
)


class Number(NamedTuple):
    """Mean of a row's runs in the experiment's unit, its interval (NaN where there is none), and the runs."""

    mean: float
    low: float
    high: float
    runs: tuple[float, ...]

    @property
    def arms(self) -> list[list[float]]:
        """How far the interval reaches below and above, as error bars take it; 0 where there is none."""
        below, above = self.mean - self.low, self.high - self.mean
        return [[0.0 if math.isnan(arm) else max(0.0, arm)] for arm in (below, above)]


def number(results: Results, row: str, metric: Metric) -> Number | None:
    """Sum up the finished runs of a row; None where no run has a number."""
    found = [each for each in values(results, row, metric.name) if math.isfinite(each.value)]
    if not found:
        return None
    scale = 100.0 if results.experiment.unit == "percent" else 1.0
    runs = [each.value for each in found]
    mean, low, high = runs[0], found[0].low, found[0].high
    if len(runs) > 1:
        # a difference of two columns may well be below 0
        over = over_runs(runs) if metric.less else of_shares(runs)
        told = len(runs) >= FEWEST
        mean, low, high = over.mean, over.low if told else math.nan, over.high if told else math.nan
    return Number(scale * mean, scale * low, scale * high, tuple(scale * run for run in runs))


def axis(results: Results, metric: Metric) -> str:
    """Name the axis of a column."""
    return f"{metric.name} (%)" if results.experiment.unit == "percent" else metric.name
