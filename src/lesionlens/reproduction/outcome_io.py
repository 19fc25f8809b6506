"""Machine-readable outcome of a table: its values as CSV, and everything as JSON."""

import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from lesionlens import __version__
from lesionlens.core.json_file import write_json
from lesionlens.core.tabular import write_csv_columns
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.outcome import TableOutcome, single_run_values, summary_sentence
from lesionlens.reproduction.paper_test import paper_test_lines
from lesionlens.reproduction.table_cells import TableCell

OUTCOME_COLUMNS = (
    "row", "group", "column", "published", "published_spread", "measured", "std", "num_runs", "num_planned", "low",
    "high", "interval_source", "difference", "published_in_interval", "within_spread", "measured_on", "notes",
)  # fmt: skip


def write_outcome_csv(path: Path, outcome: TableOutcome) -> None:
    """Write one line per cell, in the table's unit; undefined values are empty."""
    lines = [_cell_record(cell, outcome) for cell in outcome.cells]
    write_csv_columns(path, {name: [_csv_text(line[name]) for line in lines] for name in OUTCOME_COLUMNS})


def write_outcome_json(path: Path, outcome: TableOutcome, now: datetime) -> None:
    """Write the outcome as JSON; undefined values are null."""
    results, spec = outcome.results, outcome.results.spec
    record = {
        "name": results.name, "title": spec.title, "paper": spec.paper, "caption": spec.caption,
        "profile": results.profile, "dataset": spec.dataset, "synthetic": outcome.synthetic,
        "is_comparable_to_paper": outcome.is_comparable_to_paper, "date": now.isoformat(timespec="seconds"),
        "version": __version__,
        "runs": len(results.cells), "finished": sum(cell.state == "finished" for cell in results.cells),
        "failed": sum(cell.state == "failed" for cell in results.cells), "summary": summary_sentence(outcome),
        "caveats": list(results.caveats), "unit": spec.unit,
        "claims": [_claim_record(claim) for claim in outcome.claims],
        "paper_test": [line._asdict() for line in paper_test_lines(outcome)],
        "single_runs": single_run_values(outcome),
        "attributes": {row.name: row.attributes for row in spec.rows if row.attributes},
        "rows": [_cell_record(cell, outcome) for cell in outcome.cells],
    }  # fmt: skip
    write_json(path, record)


def _cell_record(cell: TableCell, outcome: TableOutcome) -> dict[str, Any]:
    """Return the fields of ``OUTCOME_COLUMNS``; comparisons with published values are None if not meaningful."""
    published = cell.published
    return {
        "row": cell.row, "group": outcome.results.spec.row(cell.row).group, "column": cell.column,
        "published": published.value if published else math.nan,
        "published_spread": published.spread if published else None,
        "measured": cell.mean, "std": cell.std, "num_runs": cell.num_runs, "num_planned": cell.num_planned,
        "low": cell.low, "high": cell.high, "interval_source": cell.interval_source, "difference": cell.difference,
        "published_in_interval": cell.published_in_interval if outcome.is_comparable_to_paper else None,
        "within_spread": cell.within_spread if outcome.is_comparable_to_paper else None,
        "measured_on": cell.measured_on, "notes": "; ".join(cell.notes),
    }  # fmt: skip


def _claim_record(claim: ClaimResult) -> dict[str, Any]:
    return {
        "verdict": claim.verdict,
        "published_supports_claim": claim.published_supports_claim,
        **asdict(claim),
    }


def _csv_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
