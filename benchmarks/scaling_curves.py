"""Cost by size as curves and a table."""

from collections.abc import Sequence
from math import log

from pydantic import BaseModel, ConfigDict


class ScalingCurve(BaseModel):
    """Median seconds and peak memory (megabytes of a new process) of work at several sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """The exponent p of seconds ~ size ** p between the two largest sizes; 1 for proportional growth."""
        return log_log_slope(self.sizes[-2:], self.seconds[-2:])


def log_log_slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of a line in a plot with two logarithmic axes."""
    return log(costs[-1] / costs[0]) / log(sizes[-1] / sizes[0])


def scaling_table(curves: Sequence[ScalingCurve]) -> str:
    """Return a table with a row per size."""
    lines = [
        "| work | size | s | ms for each | peak MB | seconds grow as |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for curve in curves:
        points = list(zip(curve.sizes, curve.seconds, curve.megabytes, strict=True))
        for size, seconds, megabytes in points:
            grown = f"size ^ {curve.exponent:.2f}" if size == points[-1][0] else ""
            cells = [
                curve.name,
                f"{curve.size}: {size:,}",
                format_number(seconds),
                format_number(1000 * seconds / size),
            ]
            lines.append("| " + " | ".join([*cells, format_number(megabytes), grown]) + " |")
    return "\n".join(lines)


def format_number(value: float) -> str:
    """Format three digits, or all digits before the decimal point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
