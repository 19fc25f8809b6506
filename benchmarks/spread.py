"""One number a round, as its median with how sure that is."""

import statistics
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from scipy.stats import quantile_test

ENOUGH = 6  # of fewer rounds all lie on one side of the true median more often than once in twenty


class Spread(BaseModel):
    """The median of one number a round, and between which two it lies.

    From six rounds on these are the 95 % interval of the median by order statistics, which takes for granted only that
    rounds are independent; of fewer rounds the least and the greatest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def spread(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """Divide round by round: what disturbs a round disturbs both."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    median, low, high = statistics.median(ratios), min(ratios), max(ratios)
    if len(ratios) >= ENOUGH:
        low, high = map(float, quantile_test(ratios, q=median).confidence_interval(0.95))
    return Spread(median=median, low=low, high=high, rounds=len(ratios))
