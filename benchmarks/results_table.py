"""Results of a benchmark: cost of each variant, ratios to ours, and their table."""

import statistics
from collections.abc import Mapping, Sequence

from machine import Machine
from median_interval import MedianInterval, ratio_interval
from pydantic import BaseModel, ConfigDict
from scaling_curves import ScalingCurve, format_number, scaling_table

UNIT_SCALES = {"s": 1.0, "ms": 1e3, "MB": 1e-6, "GB": 1e-9}
"""What a cost (seconds or bytes) is multiplied by where a unit is no rate."""


class ResultModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResultRow(ResultModel):
    """A piece of work, measured for several variants.

    `ratios` are the costs of a variant divided by the costs of ours, round by round: the speedup for "baseline", the
    fraction of the roofline for "roofline". `max_speedup` is the speedup of the roofline over the baseline: the maximum
    on this machine.
    """

    name: str
    unit: str
    values: dict[str, float]
    ratios: dict[str, MedianInterval]
    max_speedup: MedianInterval | None = None
    target: float | None = None
    note: str = ""

    @property
    def target_met(self) -> bool | None:
        """Whether the speedup, or without a baseline the fraction of the roofline, reaches the target."""
        judged = self.ratios.get("baseline") or self.ratios.get("roofline")
        return None if self.target is None or judged is None else judged.median >= self.target

    @property
    def above_roofline(self) -> bool:
        """Whether the roofline is faster than ours, and its entire interval is below the target."""
        if self.target is None or self.max_speedup is None:
            return False
        return self.max_speedup.high < self.target and self.ratios["roofline"].median <= 1


class BenchmarkReport(ResultModel):
    """Results of a script, with machine, date and versions."""

    script: str
    title: str
    date: str
    machine: Machine
    versions: dict[str, str]
    rows: tuple[ResultRow, ...]
    curves: tuple[ScalingCurve, ...] = ()

    def to_markdown(self) -> str:
        """Return the results as Markdown."""
        return "\n\n".join(
            [rows_to_markdown(self.rows)] * bool(self.rows) + [scaling_table(self.curves)] * bool(self.curves)
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
    """Compare costs (seconds or bytes per round) of several variants.

    A unit that ends in "/s" shows items per second; the units of `UNIT_SCALES` show the cost per item.
    """
    ours = costs.get("ours", ())
    ratios = {
        variant: ratio_interval(cost, ours) for variant, cost in costs.items() if ours and variant != "ours"
    }
    values = {variant: to_unit(statistics.median(cost), items, unit) for variant, cost in costs.items()}
    bounded = {"baseline", "roofline"} <= set(costs)
    max_speedup = ratio_interval(costs["baseline"], costs["roofline"]) if bounded else None
    return ResultRow(
        name=name, unit=unit, values=values, ratios=ratios, max_speedup=max_speedup, target=target, note=note
    )


def to_unit(cost: float, items: float, unit: str) -> float:
    return items / cost if unit.endswith("/s") else cost * UNIT_SCALES[unit] / items


def rows_to_markdown(rows: Sequence[ResultRow]) -> str:
    """Return a Markdown table that is aligned for the terminal."""
    variants = list(dict.fromkeys(variant for row in rows for variant in row.values))
    others = list(dict.fromkeys(variant for row in rows for variant in row.ratios))
    noted = any(row.note for row in rows)
    has_targets = any(row.target is not None for row in rows)
    bounded = any(row.max_speedup is not None for row in rows)
    head = [
        "what",
        "unit",
        *variants,
        *(column_title(variant) for variant in others),
        *["baseline ÷ roofline"] * bounded,
    ]
    head += ["target", "target met"] * has_targets + ["note"] * noted
    lines = [head]
    for row in rows:
        line = [row.name, row.unit]
        line += [format_number(row.values[variant]) if variant in row.values else "–" for variant in variants]
        line += [str(row.ratios.get(variant, "–")) for variant in others] + [
            str(row.max_speedup or "–")
        ] * bounded
        line += ["–" if row.target is None else f"≥ {row.target:g}", target_verdict(row)] * has_targets + [
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
    return "fraction of roofline" if variant == "roofline" else f"{variant} ÷ ours"


def target_verdict(row: ResultRow) -> str:
    if row.target is None or row.target_met is None:
        return "–"
    if row.target_met:
        return "yes"
    if row.max_speedup is None:
        return "no"
    return (
        "above roofline"
        if row.above_roofline
        else f"no: {row.target / row.max_speedup.median:.2f} of the roofline"
    )
