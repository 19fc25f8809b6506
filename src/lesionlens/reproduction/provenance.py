"""Provenance of a page: data, splits, seeds, recipes and every run behind it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lesionlens.reproduction.planner import RunCell, TableResults

REPORT_NAME = "report.html"


class RunProvenance(NamedTuple):
    """A run as listed on the page: row, label, seed, state, duration, error message and link to its report."""

    row: str
    label: str
    seed: int
    state: str
    minutes: str
    message: str
    report: str


class TableProvenance(NamedTuple):
    """Provenance of a table.

    Attributes
    ----------
    facts
        Names and values, such as profile, data and versions.
    recipes
        Row, the recipe that it extends, and its overrides.
    runs
        All planned runs.
    """

    facts: tuple[tuple[str, str], ...]
    recipes: tuple[tuple[str, str, str], ...]
    runs: tuple[RunProvenance, ...]


def collect_provenance(results: TableResults, folder: Path) -> TableProvenance:
    """Collect the provenance of a table from the metadata of its runs.

    Parameters
    ----------
    folder
        Folder of the page; links to reports are relative to it.
    """
    records = {
        cell.run_dir.path: cell.run_dir.metadata() for cell in results.cells if cell.state == "finished"
    }
    recipes = tuple(
        (f"{row.name}, {variant}" if variant else row.name, recipe.base, " ".join(recipe.overrides))
        for row in results.spec.rows
        for variant, recipe in results.spec.recipes_of(row).items()
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
    yield "Distinct runs", f"{len(records)} finished, for {len(results.cells)} entries of the table"
    yield "Device", _unique(str(record.get("device", "")) for record in records)
    yield (
        "Time",
        _format_duration(sum(float(record.get("seconds", 0)) for record in records)) if records else "",
    )
    yield (
        "Versions",
        _unique(
            ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
            for record in records
        ),
    )


def _unique(values: Iterable[str]) -> str:
    """Join distinct values."""
    return "; ".join(dict.fromkeys(filter(None, values)))


def _image_counts(record: dict[str, Any]) -> str:
    splits = record.get("data", {}).get("splits", {})
    return ", ".join(f"{split['images']:,} {name}" for name, split in splits.items())


def _format_duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _run_provenance(cell: RunCell, record: dict[str, Any], folder: Path) -> RunProvenance:
    label = " ".join(
        filter(None, [cell.variant, f"run {cell.run}", "" if cell.fold is None else f"fold {cell.fold}"])
    )
    report = cell.run_dir.path / REPORT_NAME
    link = Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else ""
    minutes = f"{float(record['seconds']) / 60:.1f}" if "seconds" in record else ""
    return RunProvenance(cell.row, label, cell.recipe.train.seed, cell.state, minutes, cell.message, link)
