"""Dot plot of a table's values: measured with interval, and published, one line per row."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    GRID_COLOR,
    LINE_COLORS,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    figure_style,
    legend_height,
    place_axes,
    place_legend,
    set_plain_ticks,
    style_axes,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.figures.base import (
    FOOTER_INCHES,
    MARGIN_INCHES,
    CaptionedFigure,
    all_panels,
    incomplete_panels_note,
)
from lesionlens.reproduction.measurements import run_values
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import RowSpec, TableSpec
from lesionlens.reproduction.table_cells import summarize_cell

MAX_PLOTTED_COLUMNS = 3  # more plots would be too narrow
PLOT_INCHES, PLOT_GAP_INCHES = 1.8, 0.25  # width of a plot, and distance to the next one
MIN_LINE_INCHES, TICK_INCHES = 0.19, 0.3  # heights of a line, and of the numbers below a plot
MAX_LABEL_INCHES = 2.2  # width of the names of rows
DOTS_CAPTION = "Filled: measured mean of runs; small gray: individual runs"
ERROR_BARS_CAPTION = (
    "Error bars: 95 % intervals, of the mean over runs if at least three runs differ, "
    "otherwise bootstrapped over lesions."
)


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
    scale = results.spec.scale(column_spec.name)
    values = run_values(results, row, column_spec.name)
    runs = tuple(scale * run.value for run in values if math.isfinite(run.value))
    if not runs:
        return None
    cell = summarize_cell(
        row, column_spec.name, values, published=None, num_planned=len(values), scale=scale,
        bounds=column_spec.bounds,
    )  # fmt: skip
    return Dot(cell.mean, _bar_length(cell.mean - cell.low), _bar_length(cell.high - cell.mean), runs)


def _bar_length(length: float) -> float:
    """Return a nonnegative length; 0 if there is no interval."""
    return max(0.0, length) if math.isfinite(length) else 0.0


def axis_label(results: TableResults, column_spec: ColumnSpec) -> str:
    """Return the axis label of a column."""
    return f"{column_spec.name} (%)" if results.spec.scale(column_spec.name) == 100 else column_spec.name


class _FigureLine(NamedTuple):
    """A line of the figure: a row, or the heading of a group; its label is wrapped."""

    label: str
    row: RowSpec | None


@figure_style()
def dot_plot(results: TableResults) -> CaptionedFigure | None:
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
    published = any(column.name in row.published for row in spec.rows for column in columns)
    figure, plots = _add_plots(
        lines, [axis_label(results, column) for column in columns], published=published
    )
    for axes, column in zip(plots, columns, strict=True):
        for y, line in enumerate(lines):
            if line.row is not None:
                _draw_dot(axes, y, line.row, column, dots[line.row.name, column.name])
    missing = [
        row.name
        for row in spec.rows
        if row.recipe and not any(dots[row.name, column.name] for column in columns)
    ]
    notes = [f"Not measured: {', '.join(missing)}."] if missing else []
    caption = _dots_caption(spec, published=published)
    return CaptionedFigure(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _add_plots(lines: list[_FigureLine], labels: list[str], *, published: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with a plot per column: the legend above, the lines' labels at the left."""
    handles = _legend_handles(published=published)
    labels = [wrap_text(label, PLOT_INCHES, SMALL_FONT_SIZE) for label in labels]
    highest_line = max(text_height(line.label, SMALL_FONT_SIZE) for line in lines)
    height = max(MIN_LINE_INCHES, highest_line + MARGIN_INCHES / 2) * len(lines)
    bold = text_width("\n".join(line.label for line in lines), SMALL_FONT_SIZE, bold=True)
    left = bold + 2 * MARGIN_INCHES
    width = (PLOT_INCHES + PLOT_GAP_INCHES) * len(labels)
    top = legend_height([*handles], left + width) + 2 * MARGIN_INCHES
    axis_inches = TICK_INCHES + max(text_height(label, SMALL_FONT_SIZE) for label in labels)
    figure = Figure(figsize=(left + width, top + height + axis_inches + FOOTER_INCHES), dpi=FIGURE_DPI)
    plots = []
    for number, label in enumerate(labels):
        start = left + number * (PLOT_INCHES + PLOT_GAP_INCHES)
        axes = place_axes(figure, left=start, top=top, width=PLOT_INCHES, height=height)
        _style_dot_axes(axes, label, len(lines))
        plots.append(axes)
    _label_rows(plots[0], lines)
    place_legend(figure, [*handles.values()], [*handles], left=left, top=MARGIN_INCHES, width=left + width)
    return figure, plots


def _dots_caption(spec: TableSpec, *, published: bool) -> str:
    values = "measured and published" if published else "measured"
    hollow = "; hollow: published" if published else ""
    others = ", ".join(column.name for column in spec.columns[MAX_PLOTTED_COLUMNS:])
    more = f" For other columns ({others}) see the table." if others else ""
    return f"{spec.title}, {values}. {DOTS_CAPTION}{hollow}. {ERROR_BARS_CAPTION}{more}"


def _style_dot_axes(axes: Axes, label: str, num_lines: int) -> None:
    style_axes(axes, x_label=label)
    set_plain_ticks(axes.xaxis, max_ticks=4)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(num_lines - 0.4, -0.6)


def _figure_lines(rows: tuple[RowSpec, ...]) -> Iterator[_FigureLine]:
    """Yield the lines from the top: the heading of each group before its first row."""
    before = ""
    for row in rows:
        if row.group and row.group != before:
            yield _FigureLine(_wrap_label(row.group, bold=True), None)
        before = row.group
        yield _FigureLine(_wrap_label(row.name), row)


def _wrap_label(label: str, *, bold: bool = False) -> str:
    return wrap_text(label, MAX_LABEL_INCHES, SMALL_FONT_SIZE, bold=bold, max_lines=3)


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
    labels = [line.label for line in lines]
    axes.set_yticks(
        range(len(lines)), labels, fontsize=SMALL_FONT_SIZE, color=TEXT_COLOR, linespacing=LINE_SPACING
    )
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if line.row is None else "normal")


def _legend_handles(*, published: bool) -> dict[str, Artist]:
    """Return the marks of the legend by their labels."""
    measured = Line2D([], [], marker="o", markersize=4, color=LINE_COLORS[0], linewidth=1.1)
    hollow = Line2D(
        [], [], marker="D", markersize=4, color=LINE_COLORS[1], markerfacecolor="white", linestyle="none"
    )
    return {"measured": measured, "published": hollow} if published else {"measured": measured}
