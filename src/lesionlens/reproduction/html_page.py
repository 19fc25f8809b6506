"""The page of a table or figure: published and measured side by side, its claims tested, how it was made."""

import math
import os
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from lesionlens import __version__
from lesionlens.core.errors import LesionLensError
from lesionlens.core.fileio import write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.registry import metric_title
from lesionlens.explanation.localization import LOCALIZATION_TITLES
from lesionlens.reproduction.catalog import PAPERS
from lesionlens.reproduction.claims import VERDICT_LABELS
from lesionlens.reproduction.figures.base import WrittenFigure
from lesionlens.reproduction.figures.factory import render_figure
from lesionlens.reproduction.formatting import IN_INTERVAL_MARK, OUTSIDE_INTERVAL_MARK, TableFormatter
from lesionlens.reproduction.markdown_page import outcome_to_markdown
from lesionlens.reproduction.outcome import TableOutcome, evaluate_table, summary_sentence
from lesionlens.reproduction.outcome_io import write_outcome_csv, write_outcome_json
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import ColumnSpec, TableSpec
from lesionlens.reproduction.table_cells import INTERVAL_SOURCES

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
    yield "Different runs", f"{len(records)} finished, {len(results.cells)} places in the table"
    yield "Computed on", _unique(str(record.get("device", "")) for record in records)
    yield (
        "Time",
        _format_duration(sum(float(record.get("seconds", 0)) for record in records)) if records else "",
    )
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
    splits = record.get("data", {}).get("splits", {})
    return ", ".join(f"{found['images']:,} {name}" for name, found in splits.items())


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


MAX_PORTRAIT_COLUMNS = 6  # columns beyond which paper lies on its side
MAX_COLUMNS_PER_BLOCK = 9  # columns side by side: more are neither read nor printed
VERDICT_SIGNS = {
    "holds": "✓", "same direction, not shown": "~", "opposite direction": "≁", "opposite, and shown": "✗",
    "no difference": "=", "the same run here": "=", "not run": "–",
}  # fmt: skip


def write_page(results: TableResults, folder: Path) -> Path:
    """Write ``table.html``, ``table.md``, ``table.csv``, ``results.json`` and ``figures/`` of an experiment.

    The page loads nothing from the network or the disk; unfinished and failed runs are told on it. Maps and generated
    sets that the columns ask for are measured now, once: they are kept in the runs' folders.

    Parameters
    ----------
    folder
        Of the page; what an earlier page left there is replaced file by file.

    Returns
    -------
    Path
        ``table.html``.

    Raises
    ------
    LesionLensError
        The folder cannot be written, or a finished run's records cannot be read.
    """
    found, now = evaluate_table(results), datetime.now(UTC)
    figures, problem = _draw_figures(results, folder / "figures")
    write_outcome_csv(folder / "table.csv", found)
    write_outcome_json(folder / "results.json", found, now)
    write_text(folder / "table.md", outcome_to_markdown(found, now))
    path = folder / "table.html"
    write_text(path, render_table_page(found, folder, figures=figures, problem=problem, now=now))
    return path


def render_table_page(
    outcome: TableOutcome, folder: Path, *, figures: list[WrittenFigure], problem: str, now: datetime
) -> str:
    """Write the page as HTML; ``problem`` says why there are no figures, or is ""."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("lesionlens.reproduction"), PackageLoader("lesionlens.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    experiment, writing = outcome.results.spec, TableFormatter(outcome)
    return environment.get_template("table.html").render(
        outcome=outcome,
        results=outcome.results,
        spec=experiment,
        paper=PAPERS.get(experiment.paper, ""),
        summary=summary_sentence(outcome),
        heads=[(metric.name, _column_meaning(metric, experiment)) for metric in experiment.columns],
        groups=_row_groups(outcome, writing),
        claims=[writing.format_claim(each) for each in outcome.claims],
        notes=writing.notes,
        signs=VERDICT_SIGNS,
        meanings={
            word: VERDICT_LABELS[word]
            for word in VERDICT_LABELS
            if word in {each.verdict for each in outcome.claims}
        },
        intervals={
            kind: INTERVAL_SOURCES[kind]
            for kind in INTERVAL_SOURCES
            if kind in {each.interval_source for each in outcome.cells}
        },
        marks=(IN_INTERVAL_MARK, OUTSIDE_INTERVAL_MARK)
        if any(each.published_in_interval is not None for each in outcome.cells)
        else (),
        published=any(each.published for each in outcome.cells),
        figures=[(_data_uri(each.path), each) for each in figures],
        problem=problem,
        provenance=collect_provenance(outcome.results, folder),
        blocks=_column_blocks(len(experiment.columns)),
        wide=len(experiment.columns) > MAX_PORTRAIT_COLUMNS,
        notice=RESEARCH_USE_NOTICE,
        version=__version__,
        date=now.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _draw_figures(results: TableResults, folder: Path) -> tuple[list[WrittenFigure], str]:
    """Draw what there is; a figure that cannot be drawn must not cost the table."""
    try:
        return render_figure(results, folder), ""
    except LesionLensError as error:
        return [], str(error)


def _row_groups(outcome: TableOutcome, formatter: TableFormatter) -> list[tuple[str, list[dict[str, Any]]]]:
    """Give the rows under the headings of their groups, each with its written numbers."""
    rows = [
        {
            "row": row,
            "group": row.group,
            "cells": [
                formatter.format_cell(outcome.cell(row.name, metric.name))
                for metric in outcome.results.spec.columns
            ],
            "done": len(_row_cells(outcome.results, row.name, "finished")),
            "planned": len(_row_cells(outcome.results, row.name)),
            "same_runs_as": _same_runs_as(outcome.results, row.name),
        }
        for row in outcome.results.spec.rows
    ]
    return [(group, list(each)) for group, each in groupby(rows, key=lambda row: row["group"])]


def _row_cells(results: TableResults, row: str, state: str = "") -> list[RunCell]:
    return [cell for cell in results.cells if cell.row == row and state in ("", cell.state)]


def _column_blocks(columns: int) -> list[slice]:
    """Cut many columns into tables of about equal width, one below the other."""
    if not columns:
        return []
    width = math.ceil(columns / math.ceil(columns / MAX_COLUMNS_PER_BLOCK))
    return [slice(start, start + width) for start in range(0, columns, width)]


def _same_runs_as(results: TableResults, row: str) -> str:
    """Name the first row above that is of the very same runs, or ""."""
    above = [each.name for each in results.spec.rows]
    above = above[: above.index(row)]
    own = {cell.run_dir.path for cell in _row_cells(results, row)}
    return next(
        (each for each in above if own and own == {cell.run_dir.path for cell in _row_cells(results, each)}),
        "",
    )


def _column_meaning(column_spec: ColumnSpec, spec: TableSpec) -> str:
    """Say under a column's head what it is."""
    if column_spec.mean_of:
        return f"mean of {', '.join(column_spec.mean_of)}"
    if column_spec.minus:
        return f"{column_spec.minus[0]} less {column_spec.minus[1]}"
    if column_spec.metric in LOCALIZATION_TITLES:
        own = any(column_spec.name in row.maps for row in spec.rows)
        what = f"{LOCALIZATION_TITLES[column_spec.metric]}, map {'of the row' if own else column_spec.map}"
    else:
        of = {"macro": "mean of classes", "weighted": "weighted mean", "all": "all images"}
        title = metric_title(column_spec.metric)
        what = f"{title}, {of.get(column_spec.class_name, display_name(column_spec.class_name))}"
    lower = "; lower is better" if column_spec.better == "lower" else ""
    return f"{what}{f', on {column_spec.artifact_set}' if column_spec.artifact_set else ''}{lower}"


def _data_uri(path: Path) -> str:
    """Give a figure as a data address: the drawing with lines where there is one beside it."""
    lines = path.with_suffix(".svg")
    kind, file = ("svg+xml", lines) if lines.is_file() else ("png", path)
    return f"data:image/{kind};base64,{b64encode(file.read_bytes()).decode()}"
