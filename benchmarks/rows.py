"""What a benchmark finds: what each way cost, how ours compares with the others, and both as a table."""

import statistics
from collections.abc import Mapping, Sequence

from curves import Curve, curves_markdown, number
from machine import Machine
from pydantic import BaseModel, ConfigDict
from spread import Spread, spread

PER_UNIT = {"s": 1.0, "ms": 1e3, "MB": 1e-6, "GB": 1e-9}
"""What a cost (seconds or bytes) is multiplied by where a unit is no rate."""


class Found(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Found):
    """One piece of work done in several ways.

    `against` holds what a way cost over what ours cost, round by round: against "naive" how many times
    faster ours is, against "limit" the share of the limit that ours reaches. `at_most` is how many times faster
    than naive the limit is: the most that is possible here.
    """

    name: str
    unit: str
    values: dict[str, float]
    against: dict[str, Spread]
    at_most: Spread | None = None
    demand: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the ratio to naive, or where there is none the share of the limit, is what was demanded."""
        judged = self.against.get("naive") or self.against.get("limit")
        return None if self.demand is None or judged is None else judged.median >= self.demand

    @property
    def out_of_reach(self) -> bool:
        """Whether the limit, faster than ours, is less than what was demanded, and all in its brackets too."""
        if self.demand is None or self.at_most is None:
            return False
        return self.at_most.high < self.demand and self.against["limit"].median <= 1


class Report(Found):
    """What one script found, on which machine, when and with which versions."""

    script: str
    title: str
    date: str
    machine: Machine
    versions: dict[str, str]
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()

    def tables(self) -> str:
        """Return what was found as Markdown."""
        return "\n\n".join(
            [markdown(self.rows)] * bool(self.rows) + [curves_markdown(self.curves)] * bool(self.curves)
        )


def row(
    name: str,
    costs: Mapping[str, Sequence[float]],
    *,
    items: float = 1,
    unit: str = "img/s",
    demand: float | None = None,
    note: str = "",
) -> Row:
    """Compare costs (seconds or bytes, one a round) of several ways.

    A unit that ends in "/s" shows items a second; the units of `PER_UNIT` show the cost of one item.
    """
    ours = costs.get("ours", ())
    against = {way: spread(cost, ours) for way, cost in costs.items() if ours and way != "ours"}
    values = {way: shown(statistics.median(cost), items, unit) for way, cost in costs.items()}
    bounded = {"naive", "limit"} <= set(costs)
    at_most = spread(costs["naive"], costs["limit"]) if bounded else None
    return Row(
        name=name, unit=unit, values=values, against=against, at_most=at_most, demand=demand, note=note
    )


def shown(cost: float, items: float, unit: str) -> float:
    return items / cost if unit.endswith("/s") else cost * PER_UNIT[unit] / items


def markdown(rows: Sequence[Row]) -> str:
    """Return a table that is aligned for the terminal and is Markdown."""
    ways = list(dict.fromkeys(way for row in rows for way in row.values))
    others = list(dict.fromkeys(way for row in rows for way in row.against))
    noted = any(row.note for row in rows)
    demanded = any(row.demand is not None for row in rows)
    bounded = any(row.at_most is not None for row in rows)
    head = ["what", "unit", *ways, *(heading(way) for way in others), *["naive ÷ limit"] * bounded]
    head += ["demanded", "met"] * demanded + ["note"] * noted
    lines = [head]
    for row in rows:
        line = [row.name, row.unit]
        line += [number(row.values[way]) if way in row.values else "–" for way in ways]
        line += [str(row.against.get(way, "–")) for way in others] + [str(row.at_most or "–")] * bounded
        line += ["–" if row.demand is None else f"≥ {row.demand:g}", verdict(row)] * demanded + [
            row.note
        ] * noted
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def heading(way: str) -> str:
    return "share of the limit" if way == "limit" else f"{way} ÷ ours"


def verdict(row: Row) -> str:
    if row.demand is None or row.met is None:
        return "–"
    if row.met:
        return "yes"
    if row.at_most is None:
        return "no"
    return "out of reach" if row.out_of_reach else f"no: {row.demand / row.at_most.median:.2f} of the limit"
