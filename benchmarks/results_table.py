"""What a benchmark finds: what each way cost, how ours compares with the others, and both as a table."""

import statistics
from collections.abc import Mapping, Sequence

from curves import Curve, curves_markdown, number
from machine import Machine
from pydantic import BaseModel, ConfigDict
from spread import Spread, spread

UNIT_SCALES = {"s": 1.0, "ms": 1e3, "MB": 1e-6, "GB": 1e-9}
"""What a cost (seconds or bytes) is multiplied by where a unit is no rate."""


class ResultModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResultRow(ResultModel):
    """One piece of work done in several ways.

    `against` holds what a way cost over what ours cost, round by round: against "naive" how many times
    faster ours is, against "limit" the share of the limit that ours reaches. `at_most` is how many times faster
    than naive the limit is: the most that is possible here.
    """

    name: str
    unit: str
    values: dict[str, float]
    ratios: dict[str, Spread]
    max_speedup: Spread | None = None
    target: float | None = None
    note: str = ""

    @property
    def target_met(self) -> bool | None:
        """Whether the ratio to naive, or where there is none the share of the limit, is what was demanded."""
        judged = self.ratios.get("naive") or self.ratios.get("limit")
        return None if self.target is None or judged is None else judged.median >= self.target

    @property
    def above_roofline(self) -> bool:
        """Whether the limit, faster than ours, is less than what was demanded, and all in its brackets too."""
        if self.target is None or self.max_speedup is None:
            return False
        return self.max_speedup.high < self.target and self.ratios["limit"].median <= 1


class BenchmarkReport(ResultModel):
    """What one script found, on which machine, when and with which versions."""

    script: str
    title: str
    date: str
    machine: Machine
    versions: dict[str, str]
    rows: tuple[ResultRow, ...]
    curves: tuple[Curve, ...] = ()

    def to_markdown(self) -> str:
        """Return what was found as Markdown."""
        return "\n\n".join(
            [rows_to_markdown(self.rows)] * bool(self.rows)
            + [curves_markdown(self.curves)] * bool(self.curves)
        )


def make_row(
    name: str,
    costs: Mapping[str, Sequence[float]],
    *,
    items: float = 1,
    unit: str = "img/s",
    target: float | None = None,
    note: str = "",
) -> ResultRow:
    """Compare costs (seconds or bytes, one a round) of several ways.

    A unit that ends in "/s" shows items a second; the units of `PER_UNIT` show the cost of one item.
    """
    ours = costs.get("ours", ())
    against = {way: spread(cost, ours) for way, cost in costs.items() if ours and way != "ours"}
    values = {way: to_unit(statistics.median(cost), items, unit) for way, cost in costs.items()}
    bounded = {"naive", "limit"} <= set(costs)
    at_most = spread(costs["naive"], costs["limit"]) if bounded else None
    return ResultRow(
        name=name, unit=unit, values=values, ratios=against, max_speedup=at_most, target=target, note=note
    )


def to_unit(cost: float, items: float, unit: str) -> float:
    return items / cost if unit.endswith("/s") else cost * UNIT_SCALES[unit] / items


def rows_to_markdown(rows: Sequence[ResultRow]) -> str:
    """Return a table that is aligned for the terminal and is Markdown."""
    ways = list(dict.fromkeys(way for row in rows for way in row.values))
    others = list(dict.fromkeys(way for row in rows for way in row.ratios))
    noted = any(row.note for row in rows)
    demanded = any(row.target is not None for row in rows)
    bounded = any(row.max_speedup is not None for row in rows)
    head = ["what", "unit", *ways, *(column_title(way) for way in others), *["naive ÷ limit"] * bounded]
    head += ["demanded", "met"] * demanded + ["note"] * noted
    lines = [head]
    for row in rows:
        line = [row.name, row.unit]
        line += [number(row.values[way]) if way in row.values else "–" for way in ways]
        line += [str(row.ratios.get(way, "–")) for way in others] + [str(row.max_speedup or "–")] * bounded
        line += ["–" if row.target is None else f"≥ {row.target:g}", target_verdict(row)] * demanded + [
            row.note
        ] * noted
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def column_title(variant: str) -> str:
    return "share of the limit" if variant == "limit" else f"{variant} ÷ ours"


def target_verdict(row: ResultRow) -> str:
    if row.target is None or row.target_met is None:
        return "–"
    if row.target_met:
        return "yes"
    if row.max_speedup is None:
        return "no"
    return (
        "out of reach"
        if row.above_roofline
        else f"no: {row.target / row.max_speedup.median:.2f} of the limit"
    )
