"""How the numbers of a page were made: what was run, on what, and with which versions."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lesionlens.experiments.results import RunCell, TableResults

REPORT = "report.html"


class RunProvenance(NamedTuple):
    """One run in words: its row, place, seed, how it went, and the way to its report."""

    row: str
    label: str
    seed: int
    state: str
    minutes: str
    message: str
    report: str


class TableProvenance(NamedTuple):
    """How it was made.

    Attributes
    ----------
    facts
        Name and value.
    recipes
        Row, its recipes and what was changed in them.
    runs
        Each planned run.
    """

    facts: tuple[tuple[str, str], ...]
    recipes: tuple[tuple[str, str, str], ...]
    runs: tuple[RunProvenance, ...]


def collect_provenance(results: TableResults, folder: Path) -> TableProvenance:
    """Tell from the runs' records how a page was made.

    Parameters
    ----------
    folder
        Of the page: links to the runs' reports are relative to it.
    """
    records = {cell.run_dir.path: cell.run_dir.metadata() for cell in results.cells if cell.state == "finished"}
    recipes = tuple(
        (row.name, ", ".join(row.variants.values()), " ".join(row.overrides))
        for row in results.spec.rows
        if row.variants
    )
    return TableProvenance(
        tuple((name, value) for name, value in _facts(results, list(records.values())) if value),
        recipes,
        tuple(_run_provenance(cell, records.get(cell.run_dir.path, {}), folder) for cell in results.cells),
    )


def _facts(results: TableResults, records: Sequence[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    seeds = sorted({cell.recipe.train.seed for cell in results.cells})
    yield "Profile", results.profile
    yield "Data", _unique(cell.recipe.data.source for cell in results.cells)
    yield "Images", _unique(_image_counts(record) for record in records)
    yield "Generated sets", ", ".join(f"{name}: {source}" for name, source in results.artifact_sets.items())
    yield "Split", _unique(str(record.get("data", {}).get("split", "")) for record in records)
    yield "Seeds", ", ".join(map(str, seeds))
    yield "Different runs", f"{len(records)} finished, {len(results.cells)} places in the table"
    yield "Computed on", _unique(str(record.get("device", "")) for record in records)
    yield "Time", _format_duration(sum(float(record.get("seconds", 0)) for record in records)) if records else ""
    yield (
        "Versions",
        _unique(
            ", ".join(f"{name} {which}" for name, which in record.get("versions", {}).items())
            for record in records
        ),
    )


def _unique(values: Iterable[str]) -> str:
    """Give every different value once."""
    return "; ".join(dict.fromkeys(filter(None, values)))


def _image_counts(record: dict[str, Any]) -> str:
    parts = record.get("data", {}).get("parts", {})
    return ", ".join(f"{found['images']:,} {name}" for name, found in parts.items())


def _format_duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _run_provenance(cell: RunCell, record: dict[str, Any], folder: Path) -> RunProvenance:
    place = " ".join(
        filter(None, [cell.variant, f"run {cell.run}", "" if cell.fold is None else f"fold {cell.fold}"])
    )
    report = cell.run_dir.path / REPORT
    link = Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else ""
    minutes = f"{float(record['seconds']) / 60:.1f}" if "seconds" in record else ""
    return RunProvenance(cell.row, place, cell.recipe.train.seed, cell.state, minutes, cell.message, link)
