"""A verdict for programs: its numbers as CSV, and all of it as JSON."""

import json
import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from lesionlens import __version__
from lesionlens.atomic import write_text
from lesionlens.evaluation.columns import write_columns
from lesionlens.experiments.headline import headline
from lesionlens.experiments.number import Number
from lesionlens.experiments.ordering import Ordering
from lesionlens.experiments.verdict import Verdict

COLUMNS = (
    "row", "group", "column", "published", "published_spread", "measured", "sd", "n", "planned", "low", "high",
    "interval_of", "difference", "inside", "within_spread", "part", "notes",
)  # fmt: skip


def write_csv(path: Path, found: Verdict) -> None:
    """Write a line for each number, in the table's unit; what is not defined is empty."""
    lines = [_number(each, found) for each in found.numbers]
    write_columns(path, {name: [_text(line[name]) for line in lines] for name in COLUMNS})


def write_json(path: Path, found: Verdict, now: datetime) -> None:
    """Write the verdict as JSON; what is not defined is null."""
    results, experiment = found.results, found.results.experiment
    told = {
        "name": results.name, "title": experiment.title, "paper": experiment.paper, "caption": experiment.caption,
        "profile": results.profile, "data": experiment.data, "synthetic": found.synthetic,
        "comparable": found.comparable, "date": now.isoformat(timespec="seconds"), "version": __version__,
        "runs": len(results.cells), "finished": sum(cell.state == "finished" for cell in results.cells),
        "failed": sum(cell.state == "failed" for cell in results.cells), "headline": headline(found),
        "remarks": list(results.remarks), "unit": experiment.unit,
        "claims": [_ordering(each) for each in found.orderings],
        "rows": [_number(each, found) for each in found.numbers],
    }  # fmt: skip
    write_text(path, json.dumps(_without_nan(told), indent=1, ensure_ascii=False) + "\n")


def _number(found: Number, verdict: Verdict) -> dict[str, Any]:
    """Give the fields of ``COLUMNS``; whether a published number lies inside is no question of other images."""
    published = found.published
    return {
        "row": found.row, "group": verdict.results.experiment.row(found.row).group, "column": found.column,
        "published": published.value if published else math.nan,
        "published_spread": published.spread if published else None,
        "measured": found.mean, "sd": found.sd, "n": found.n, "planned": found.planned, "low": found.low,
        "high": found.high, "interval_of": found.interval_of, "difference": found.difference,
        "inside": found.inside if verdict.comparable else None,
        "within_spread": found.within_spread if verdict.comparable else None,
        "part": found.part, "notes": "; ".join(found.notes),
    }  # fmt: skip


def _ordering(found: Ordering) -> dict[str, Any]:
    return {"verdict": found.word, "published_shows": found.published_shows, **asdict(found)}


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
