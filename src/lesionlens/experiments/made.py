"""How the numbers of a page were made: what was run, on what, and with which versions."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lesionlens.experiments.results import Cell, Results

REPORT = "report.html"


class Run(NamedTuple):
    """One run in words: its row, place, seed, how it went, and the way to its report."""

    row: str
    place: str
    seed: int
    state: str
    minutes: str
    message: str
    report: str


class Made(NamedTuple):
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
    runs: tuple[Run, ...]


def made(results: Results, folder: Path) -> Made:
    """Tell from the runs' records how a page was made.

    Parameters
    ----------
    folder
        Of the page: links to the runs' reports are relative to it.
    """
    records = {cell.folder.path: cell.folder.record() for cell in results.cells if cell.state == "finished"}
    recipes = tuple(
        (row.name, ", ".join(row.parts.values()), " ".join(row.overrides))
        for row in results.experiment.rows
        if row.parts
    )
    return Made(
        tuple((name, value) for name, value in _facts(results, list(records.values())) if value),
        recipes,
        tuple(_run(cell, records.get(cell.folder.path, {}), folder) for cell in results.cells),
    )


def _facts(results: Results, records: Sequence[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    seeds = sorted({cell.recipe.train.seed for cell in results.cells})
    yield "Profile", results.profile
    yield "Data", _each(cell.recipe.data.source for cell in results.cells)
    yield "Images", _each(_images(record) for record in records)
    yield "Generated sets", ", ".join(f"{name}: {source}" for name, source in results.sets.items())
    yield "Split", _each(str(record.get("data", {}).get("split", "")) for record in records)
    yield "Seeds", ", ".join(map(str, seeds))
    yield "Different runs", f"{len(records)} finished, {len(results.cells)} places in the table"
    yield "Computed on", _each(str(record.get("device", "")) for record in records)
    yield "Time", _hours(sum(float(record.get("seconds", 0)) for record in records)) if records else ""
    yield (
        "Versions",
        _each(
            ", ".join(f"{name} {which}" for name, which in record.get("versions", {}).items())
            for record in records
        ),
    )


def _each(values: Iterable[str]) -> str:
    """Give every different value once."""
    return "; ".join(dict.fromkeys(filter(None, values)))


def _images(record: dict[str, Any]) -> str:
    parts = record.get("data", {}).get("parts", {})
    return ", ".join(f"{found['images']:,} {name}" for name, found in parts.items())


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _run(cell: Cell, record: dict[str, Any], folder: Path) -> Run:
    place = " ".join(
        filter(None, [cell.part, f"run {cell.run}", "" if cell.fold is None else f"fold {cell.fold}"])
    )
    report = cell.folder.path / REPORT
    link = Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else ""
    minutes = f"{float(record['seconds']) / 60:.1f}" if "seconds" in record else ""
    return Run(cell.row, place, cell.recipe.train.seed, cell.state, minutes, cell.message, link)
