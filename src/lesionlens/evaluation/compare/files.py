"""Comparisons as JSON and CSV: a row for each test of each metric of each pair."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from lesionlens.atomic import write_text
from lesionlens.evaluation.columns import write_columns
from lesionlens.evaluation.compare.contrast import Contrast, Contrasts
from lesionlens.evaluation.evaluation import NOTICE

FORMAT = "lesionlens-comparison/1"
Cell = str | int | float | None


def write_comparison(folder: Path | str, found: Contrasts) -> None:
    """Write ``comparison.json`` and ``comparison.csv``; what is not defined is null and an empty cell."""
    rows = [row for each in found.contrasts for row in _rows(each)]
    record = {
        "format": FORMAT,
        "over": found.over,
        "settings": found.settings,
        "notes": found.notes,
        "comparisons": rows,
        "notice": NOTICE,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(Path(folder) / "comparison.json", text)
    columns = {name: ["" if row[name] is None else str(row[name]) for row in rows] for name in rows[0]}
    write_columns(Path(folder) / "comparison.csv", columns)


def _rows(contrast: Contrast) -> Iterator[dict[str, Cell]]:
    """Give a row for each test, first the one whose p is shown and corrected."""
    for each in contrast.tests:
        shown = each is contrast.judged
        yield {
            "first": contrast.first,
            "second": contrast.second,
            "metric": contrast.metric,
            "of": contrast.of,
            "value_first": _known(contrast.values[0]),
            "value_second": _known(contrast.values[1]),
            "test": each.test,
            "unit": each.unit,
            "n": each.n,
            "difference": _known(each.difference),
            "low": _known(each.low),
            "high": _known(each.high),
            "statistic": _known(each.statistic),
            "p": _known(each.p),
            "p_holm": _known(contrast.holm) if shown else None,
        }


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
