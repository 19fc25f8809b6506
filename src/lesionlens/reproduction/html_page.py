"""HTML page of a table: measured and published values, tested claims, figures and provenance."""

import math
from base64 import b64encode
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from lesionlens import __version__
from lesionlens.core.errors import LesionLensError
from lesionlens.core.fileio import write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import format_scope
from lesionlens.evaluation.registry import metric_title
from lesionlens.explanation.localization_result import MAP_METRIC_TITLES
from lesionlens.reproduction.catalog import PAPERS
from lesionlens.reproduction.claim_result import VERDICT_LABELS
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.crop_variance import CROP_VARIANCE_TITLES, crop_variance_rows
from lesionlens.reproduction.figures.base import WrittenFigure
from lesionlens.reproduction.figures.factory import render_figure
from lesionlens.reproduction.formatting import (
    IN_INTERVAL_MARK,
    OUTSIDE_INTERVAL_MARK,
    TableFormatter,
    describe_correlation,
    format_attribute,
)
from lesionlens.reproduction.markdown_page import outcome_to_markdown
from lesionlens.reproduction.outcome import TableOutcome, evaluate_table, summary_sentence
from lesionlens.reproduction.outcome_io import write_outcome_csv, write_outcome_json
from lesionlens.reproduction.paper_test import paper_test_lines
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.provenance import collect_provenance
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.table_cells import INTERVAL_SOURCES
from lesionlens.reproduction.table_variants import VARIANT_TITLES

MAX_PORTRAIT_COLUMNS = 6  # with more columns the page is printed in landscape format
MAX_COLUMNS_PER_BLOCK = 9  # wider tables are split into blocks, for reading and printing
VERDICT_SIGNS = {
    "holds": "✓", "same direction, not shown": "~", "opposite direction": "≁", "opposite, and shown": "✗",
    "no difference": "=", "the same run here": "=", "not run": "–", "not judged": "–",
}  # fmt: skip


def write_page(results: TableResults, folder: Path) -> Path:
    """Write ``table.html``, ``table.md``, ``table.csv``, ``results.json`` and ``figures/`` of a table.

    The HTML file is self-contained, and lists unfinished and failed runs. Attention maps and generated sets that the
    columns need are measured once, and saved in the runs' folders.

    Parameters
    ----------
    folder
        Folder of the page; existing files are replaced.

    Returns
    -------
    Path
        ``table.html``.

    Raises
    ------
    LesionLensError
        The folder cannot be written, or a finished run's records cannot be read.
    """
    outcome, now = evaluate_table(results), datetime.now(UTC)
    figures, problem = _render_figures(results, folder / "figures")
    write_outcome_csv(folder / "table.csv", outcome)
    write_outcome_json(folder / "results.json", outcome, now)
    write_text(folder / "table.md", outcome_to_markdown(outcome, now))
    path = folder / "table.html"
    write_text(path, render_table_page(outcome, folder, figures=figures, problem=problem, now=now))
    return path


def render_table_page(
    outcome: TableOutcome, folder: Path, *, figures: list[WrittenFigure], problem: str, now: datetime
) -> str:
    """Render the page as HTML; ``problem`` is the reason why there are no figures, or ""."""
    spec, formatter = outcome.results.spec, TableFormatter(outcome)
    return _page_template().render(
        outcome=outcome,
        results=outcome.results,
        spec=spec,
        paper=PAPERS.get(spec.paper, ""),
        protocol=VARIANT_TITLES[outcome.results.variant] if outcome.results.code_differences else "",
        summary=summary_sentence(outcome),
        heads=[(column.name, _describe_column(column, spec)) for column in spec.columns],
        groups=_row_groups(outcome, formatter),
        claims=[formatter.format_claim(claim) for claim in outcome.claims],
        single_runs=formatter.format_runs(),
        crop_variance=crop_variance_rows(outcome.results),
        crop_variance_titles=CROP_VARIANCE_TITLES,
        tests=[formatter.format_paper_test(line) for line in paper_test_lines(outcome)],
        notes=formatter.notes,
        **_legend(outcome),
        published=any(cell.published for cell in outcome.cells),
        figures=[(_data_uri(figure.path), figure) for figure in figures],
        problem=problem,
        provenance=collect_provenance(outcome.results, folder),
        blocks=_column_blocks(len(spec.columns)),
        wide=len(spec.columns) + len(spec.attributes) / 2 > MAX_PORTRAIT_COLUMNS,
        notice=RESEARCH_USE_NOTICE,
        version=__version__,
        date=now.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _page_template() -> Template:
    loader = ChoiceLoader([PackageLoader("lesionlens.reproduction"), PackageLoader("lesionlens.report")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("table.html")


def _legend(outcome: TableOutcome) -> dict[str, Any]:
    """Return the signs, kinds of intervals and marks of the page with their meanings."""
    verdicts = {claim.verdict for claim in outcome.claims}
    sources = {cell.interval_source for cell in outcome.cells}
    has_marks = any(cell.published_in_interval is not None for cell in outcome.cells)
    return {
        "signs": VERDICT_SIGNS,
        "meanings": {verdict: label for verdict, label in VERDICT_LABELS.items() if verdict in verdicts},
        "intervals": {source: label for source, label in INTERVAL_SOURCES.items() if source in sources},
        "marks": (IN_INTERVAL_MARK, OUTSIDE_INTERVAL_MARK) if has_marks else (),
    }


def _render_figures(results: TableResults, folder: Path) -> tuple[list[WrittenFigure], str]:
    """Render the table's figure; return the error message instead if this fails, so that the page is still written."""
    try:
        return render_figure(results, folder), ""
    except LesionLensError as error:
        return [], str(error)


def _row_groups(outcome: TableOutcome, formatter: TableFormatter) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows with their formatted cells, by the heading of their group."""
    rows = [
        {
            "row": row,
            "attributes": [
                format_attribute(row.attributes.get(name, "")) for name in outcome.results.spec.attributes
            ],
            "group": row.group,
            "cells": [
                formatter.format_cell(outcome.cell(row.name, column.name))
                for column in outcome.results.spec.columns
            ],
            "done": len(_row_cells(outcome.results, row.name, "finished")),
            "planned": len(_row_cells(outcome.results, row.name)),
            "counted": " ".join(filter(None, (row.counts.dataset, row.counts.split))) if row.counts else "",
            "same_runs_as": _same_runs_as(outcome.results, row.name),
        }
        for row in outcome.results.spec.rows
    ]
    return [(group, list(members)) for group, members in groupby(rows, key=lambda row: row["group"])]


def _row_cells(results: TableResults, row: str, state: str = "") -> list[RunCell]:
    return [cell for cell in results.cells if cell.row == row and state in ("", cell.state)]


def _column_blocks(columns: int) -> list[slice]:
    """Split many columns into blocks of about equal width."""
    if not columns:
        return []
    width = math.ceil(columns / math.ceil(columns / MAX_COLUMNS_PER_BLOCK))
    return [slice(start, start + width) for start in range(0, columns, width)]


def _same_runs_as(results: TableResults, row: str) -> str:
    """Return the name of the first row above with the same runs, or ""."""
    names = [spec.name for spec in results.spec.rows]
    run_dirs = _run_paths(results, row)
    above = names[: names.index(row)] if run_dirs else []
    return next((name for name in above if _run_paths(results, name) == run_dirs), "")


def _run_paths(results: TableResults, row: str) -> set[Path]:
    return {cell.run_dir.path for cell in _row_cells(results, row)}


def _describe_column(column_spec: ColumnSpec, spec: TableSpec) -> str:
    """Return the description under a column's heading."""
    if column_spec.mean_of:
        return f"mean of {', '.join(column_spec.mean_of)}"
    if column_spec.difference_of:
        return f"{column_spec.difference_of[0]} minus {column_spec.difference_of[1]}"
    if column_spec.correlation:
        return describe_correlation(column_spec.map, column_spec.correlation)
    if column_spec.logged:
        return f"{column_spec.logged} in the last epoch"
    if column_spec.metric in MAP_METRIC_TITLES:
        map_by_row = any(column_spec.name in row.maps for row in spec.rows)
        map_name = "of the row" if map_by_row else column_spec.map
        description = f"{MAP_METRIC_TITLES[column_spec.metric]}, map {map_name}"
        if column_spec.images:
            description += f", images {column_spec.images}"
    else:
        description = f"{metric_title(column_spec.metric)}, {format_scope(column_spec.scope)}"
    if column_spec.crop_draws:
        statistic = "standard deviation" if column_spec.spread else "mean"
        description += f", {statistic} over {column_spec.crop_draws} draws of the test crops"
    lower = "; lower is better" if column_spec.better == "lower" else ""
    return f"{description}{f', on {column_spec.artifact_set}' if column_spec.artifact_set else ''}{lower}"


def _data_uri(path: Path) -> str:
    """Return a figure as a data URI, in vector format if available."""
    vector = path.with_suffix(".svg")
    kind, file = ("svg+xml", vector) if vector.is_file() else ("png", path)
    return f"data:image/{kind};base64,{b64encode(file.read_bytes()).decode()}"
