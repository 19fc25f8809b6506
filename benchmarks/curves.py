"""Cost against size: how each piece of work grows, as a table."""

from collections.abc import Sequence
from math import log

from pydantic import BaseModel, ConfigDict


class Curve(BaseModel):
    """Median seconds and peak memory (megabytes of a fresh process) of one piece of work at several sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...]

    @property
    def power(self) -> float:
        """The p of seconds ~ size ** p between the two largest sizes: 1 where twice as much takes twice as long."""
        return growth(self.sizes[-2:], self.seconds[-2:])


def growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of a line in a plot with two logarithmic axes."""
    return log(costs[-1] / costs[0]) / log(sizes[-1] / sizes[0])


def curves_markdown(curves: Sequence[Curve]) -> str:
    """Return a table with a line for each size."""
    lines = [
        "| work | size | s | ms for each | peak MB | seconds grow as |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for curve in curves:
        points = list(zip(curve.sizes, curve.seconds, curve.megabytes, strict=True))
        for size, seconds, megabytes in points:
            grown = f"size ^ {curve.power:.2f}" if size == points[-1][0] else ""
            cells = [curve.name, f"{curve.size}: {size:,}", number(seconds), number(1000 * seconds / size)]
            lines.append("| " + " | ".join([*cells, number(megabytes), grown]) + " |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Show three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
