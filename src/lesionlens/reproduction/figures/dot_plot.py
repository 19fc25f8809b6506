"""Dot plot of a table's values: measured with interval, and published, one line per row."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionlens.reproduction.figures.base import (
    GRID_COLOR,
    LINE_COLORS,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    FigureDraft,
    all_panels,
    incomplete_panels_note,
    style_axes,
)
from lesionlens.reproduction.measurements import run_values
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import ColumnSpec, RowSpec, TableSpec
from lesionlens.reproduction.table_cells import summarize_cell

MAX_PLOTTED_COLUMNS = 3  # more plots would be too narrow
DOTS_CAPTION = "Filled: measured mean of runs; small gray: single runs"
ERROR_BARS_CAPTION = "Bars: 95 % intervals of the mean over runs if three or more differ, else over lesions."


class Dot(NamedTuple):
    """Mean of a row's runs in the table's unit, distances to the interval's bounds, and values of the runs."""

    mean: float
    below: float
    above: float
    runs: tuple[float, ...]

    @property
    def error_bars(self) -> list[list[float]]:
        """Distances to the interval's bounds in the form of matplotlib's ``yerr``."""
        return [[self.below], [self.above]]


def summarize_dot(results: TableResults, row: str, column_spec: ColumnSpec) -> Dot | None:
    """Summarize the finished runs of a row as in the table; None if no run has a value."""
    scale = 100 if results.spec.unit == "percent" else 1
    values = run_values(results, row, column_spec.name)
    runs = tuple(scale * run.value for run in values if math.isfinite(run.value))
    if not runs:
        return None
    bounds = (-math.inf, math.inf) if column_spec.minus else (0.0, 1.0)
    cell = summarize_cell(
        row, column_spec.name, values, published=None, num_planned=len(values), scale=scale, bounds=bounds
    )
    return Dot(cell.mean, _bar_length(cell.mean - cell.low), _bar_length(cell.high - cell.mean), runs)


def _bar_length(length: float) -> float:
    """Return a nonnegative length; 0 if there is no interval."""
    return max(0.0, length) if math.isfinite(length) else 0.0


def axis_label(results: TableResults, column_spec: ColumnSpec) -> str:
    """Return the axis label of a column."""
    return f"{column_spec.name} (%)" if results.spec.unit == "percent" else column_spec.name


class _FigureLine(NamedTuple):
    """A line of the figure: a row, or the heading of a group."""

    label: str
    row: RowSpec | None


def dot_plot(results: TableResults) -> FigureDraft | None:
    """Plot the first three columns of a table next to each other; None if there are no measured values."""
    spec = results.spec
    columns = spec.columns[:MAX_PLOTTED_COLUMNS]
    dots = {
        (row.name, column.name): summarize_dot(results, row.name, column)
        for row in spec.rows
        for column in columns
    }
    if not any(dots.values()):
        return None
    lines = list(_figure_lines(spec.rows))
    figure = Figure(figsize=(1.9 + 2.1 * len(columns), 0.19 * len(lines) + 1.0), layout="constrained")
    plots = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(plots, columns, strict=True):
        for y, line in enumerate(lines):
            if line.row is not None:
                _draw_dot(axes, y, line.row, column, dots[line.row.name, column.name])
        _style_dot_axes(axes, axis_label(results, column))
    _label_rows(plots[0], lines)
    published = any(column.name in row.published for row in spec.rows for column in columns)
    _draw_legend(figure, plots[0], published=published)
    missing = [
        row.name
        for row in spec.rows
        if row.recipe and not any(dots[row.name, column.name] for column in columns)
    ]
    notes = [f"Not measured: {', '.join(missing)}."] if missing else []
    caption = _dots_caption(spec, published=published)
    return FigureDraft(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _dots_caption(spec: TableSpec, *, published: bool) -> str:
    values = "measured and published" if published else "measured"
    hollow = "; hollow: published" if published else ""
    others = ", ".join(column.name for column in spec.columns[MAX_PLOTTED_COLUMNS:])
    more = f" For other columns ({others}) see the table." if others else ""
    return f"{spec.title}, {values}. {DOTS_CAPTION}{hollow}. {ERROR_BARS_CAPTION}{more}"


def _style_dot_axes(axes: Axes, label: str) -> None:
    style_axes(axes, x_label=label)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _figure_lines(rows: tuple[RowSpec, ...]) -> Iterator[_FigureLine]:
    """Yield the lines from the top: the heading of each group before its first row."""
    before = ""
    for row in rows:
        if row.group and row.group != before:
            yield _FigureLine(row.group, None)
        before = row.group
        yield _FigureLine(row.name, row)


def _draw_dot(axes: Axes, y: int, row: RowSpec, column_spec: ColumnSpec, measured: Dot | None) -> None:
    axes.axhline(y, color=GRID_COLOR, linewidth=0.6, zorder=0)
    published = row.published.get(column_spec.name)
    if published is not None:
        axes.plot(published.value, y, marker="D", markersize=4, color=LINE_COLORS[1], markerfacecolor="white",
                  linestyle="none", zorder=3)  # fmt: skip
    if measured is None:
        return
    if len(measured.runs) > 1:
        axes.plot(
            measured.runs,
            [y] * len(measured.runs),
            marker="|",
            markersize=5,
            color=MUTED_COLOR,
            linestyle="none",
        )
    axes.errorbar(measured.mean, y, xerr=measured.error_bars, color=LINE_COLORS[0], marker="o", markersize=4,
                  linewidth=1.1, zorder=2)  # fmt: skip


def _label_rows(axes: Axes, lines: list[_FigureLine]) -> None:
    """Write the rows' names, headings in bold; the first line is at the top."""
    axes.set_yticks(
        range(len(lines)),
        [line.label for line in lines],
        fontsize=SMALL_FONT_SIZE,
        color=TEXT_COLOR,
        parse_math=False,
    )
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if line.row is None else "normal")
    axes.set_ylim(len(lines) - 0.4, -0.6)


def _draw_legend(figure: Figure, axes: Axes, *, published: bool) -> None:
    handles = {
        "measured": axes.plot([], [], marker="o", markersize=4, color=LINE_COLORS[0], linewidth=1.1)[0]
    }
    if published:
        handles["published"] = axes.plot(
            [], [], marker="D", markersize=4, color=LINE_COLORS[1], markerfacecolor="white", linestyle="none"
        )[0]
    figure.legend(
        [*handles.values()],
        [*handles],
        loc="outside upper right",
        ncols=2,
        fontsize=SMALL_FONT_SIZE,
        frameon=False,
    )
