"""Median of one number per round, with its interval."""

import statistics
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from scipy.stats import quantile_test

MIN_ROUNDS_FOR_INTERVAL = (
    6  # with fewer rounds, all are on one side of the true median with a probability above 5 %
)


class MedianInterval(BaseModel):
    """Median of one number per round, and its interval.

    From six rounds on, the interval covers the true median with 95 % or more, by order statistics, if rounds are
    independent and have the same true median. For fewer rounds it is the range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        if self.rounds == 1:
            return f"{self.median:.2f}"
        few = f", {self.rounds} rounds" if self.rounds < MIN_ROUNDS_FOR_INTERVAL else ""
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f}{few})"


def ratio_interval(other_costs: Sequence[float], our_costs: Sequence[float]) -> MedianInterval:
    """Divide round by round, because a disturbance affects both."""
    ratios = [a / b for a, b in zip(other_costs, our_costs, strict=True)]
    median, low, high = statistics.median(ratios), min(ratios), max(ratios)
    if len(ratios) >= MIN_ROUNDS_FOR_INTERVAL:
        test = quantile_test(ratios, q=median)  # q affects only the test, not its interval
        low, high = map(float, test.confidence_interval(0.95))
    return MedianInterval(median=median, low=low, high=high, rounds=len(ratios))
