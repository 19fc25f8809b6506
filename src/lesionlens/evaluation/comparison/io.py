"""Write comparisons to JSON and CSV: one row per test, metric and pair."""

from collections.abc import Iterator
from pathlib import Path

from lesionlens.core.json_file import nan_to_none, write_json
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.tabular import write_csv_columns
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison

COMPARISON_FORMAT = "lesionlens-comparison/3"
_CellValue = str | int | float | None


def write_comparison(folder: Path | str, report: ComparisonReport) -> None:
    """Write ``comparison.json`` and ``comparison.csv``; undefined numbers are null and empty cells."""
    rows = nan_to_none([row for comparison in report.comparisons for row in _comparison_rows(comparison)])
    record = {
        "format": COMPARISON_FORMAT,
        "sample_description": report.sample_description,
        "settings": report.settings,
        "caveats": report.caveats,
        "comparisons": rows,
        "notice": RESEARCH_USE_NOTICE,
    }
    write_json(Path(folder) / "comparison.json", record)
    columns = {name: ["" if row[name] is None else str(row[name]) for row in rows] for name in rows[0]}
    write_csv_columns(Path(folder) / "comparison.csv", columns)


def _comparison_rows(comparison: MetricComparison) -> Iterator[dict[str, _CellValue]]:
    """Yield one row per test, first the one whose p is reported and corrected; of class and aggregate one is null."""
    for result in comparison.tests:
        is_primary = result is comparison.primary_test
        yield {
            "first": comparison.first,
            "second": comparison.second,
            "metric": comparison.metric,
            "class": comparison.scope if isinstance(comparison.scope, str) else None,
            "aggregate": None if isinstance(comparison.scope, str) else str(comparison.scope),
            "value_first": comparison.values[0],
            "value_second": comparison.values[1],
            "test": result.test,
            "unit": result.unit,
            "n": result.n,
            "difference": result.difference,
            "low": result.low,
            "high": result.high,
            "statistic": result.statistic,
            "p": result.p,
            "p_holm": comparison.p_holm if is_primary else None,
            "reason": result.reason,
        }
