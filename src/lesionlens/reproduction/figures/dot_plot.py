"""The numbers of a table as dots: measured with interval, published, one line for each row."""

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
from lesionlens.reproduction.spec import ColumnSpec, RowSpec
from lesionlens.reproduction.table_cells import summarize_cell

ERROR_BARS_CAPTION = (
    "Bars: 95 % intervals of the mean over runs where three or more differ, else over lesions of the test "
    "part."
)


class Dot(NamedTuple):
    """Mean of a row's runs in the experiment's unit, how far its interval reaches below and above, and the runs."""

    mean: float
    below: float
    above: float
    runs: tuple[float, ...]

    @property
    def error_bars(self) -> list[list[float]]:
        """Give the interval as error bars take it."""
        return [[self.below], [self.above]]


def summarize_dot(results: TableResults, row: str, column_spec: ColumnSpec) -> Dot | None:
    """Sum up the finished runs of a row as the table does; None where no run has a number."""
    scale = 100 if results.spec.unit == "percent" else 1
    found = run_values(results, row, column_spec.name)
    runs = tuple(scale * each.value for each in found if math.isfinite(each.value))
    if not runs:
        return None
    bounds = (-math.inf, math.inf) if column_spec.minus else (0.0, 1.0)
    told = summarize_cell(
        row, column_spec.name, found, published=None, num_planned=len(found), scale=scale, bounds=bounds
    )
    return Dot(told.mean, _bar_length(told.mean - told.low), _bar_length(told.high - told.mean), runs)


def _bar_length(length: float) -> float:
    """Bars must not be negative; where there is no interval, there is no bar."""
    return max(0.0, length) if math.isfinite(length) else 0.0


def axis_label(results: TableResults, column_spec: ColumnSpec) -> str:
    """Name the axis of a column."""
    return f"{column_spec.name} (%)" if results.spec.unit == "percent" else column_spec.name


MAX_PLOTTED_COLUMNS = 3  # of a table: more would not be read beside one another
DOTS_CAPTION = "Filled: measured, the mean of runs; small grey: single runs"


class _FigureLine(NamedTuple):
    """A line of the figure: a row, or the heading of a group."""

    label: str
    row: RowSpec | None


def dot_plot(results: TableResults) -> FigureDraft | None:
    """Draw the first three columns of a table side by side; None where nothing is measured."""
    experiment = results.spec
    metrics = experiment.columns[:MAX_PLOTTED_COLUMNS]
    found = {(row.name, metric.name): summarize_dot(results, row.name, metric)
             for row in experiment.rows for metric in metrics}  # fmt: skip
    if not any(found.values()):
        return None
    places = list(_figure_lines(experiment.rows))
    figure = Figure(figsize=(1.9 + 2.1 * len(metrics), 0.19 * len(places) + 1.0), layout="constrained")
    across = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(across, metrics, strict=True):
        for down, place in enumerate(places):
            if place.row is not None:
                _draw_dot(axes, down, place.row, metric, found[place.row.name, metric.name])
        style_axes(axes, x_label=axis_label(results, metric))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    _label_rows(across[0], places)
    published = any(metric.name in row.published for row in experiment.rows for metric in metrics)
    _draw_legend(figure, across[0], published=published)
    missing = [
        row.name
        for row in experiment.rows
        if row.recipe and not any(found[row.name, m.name] for m in metrics)
    ]
    notes = [f"Not measured: {', '.join(missing)}."] if missing else []
    others = [metric.name for metric in experiment.columns[MAX_PLOTTED_COLUMNS:]]
    more = f" Of its other columns ({', '.join(others)}) the table tells." if others else ""
    said = (
        f"measured and published. {DOTS_CAPTION}; hollow: published"
        if published
        else f"measured. {DOTS_CAPTION}"
    )
    caption = f"{experiment.title}, {said}. {ERROR_BARS_CAPTION}{more}"
    return FigureDraft(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _figure_lines(rows: tuple[RowSpec, ...]) -> Iterator[_FigureLine]:
    """Give the lines from the top: the heading of each group before its first row."""
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
        [place.label for place in lines],
        fontsize=SMALL_FONT_SIZE,
        color=TEXT_COLOR,
        parse_math=False,
    )
    for label, place in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if place.row is None else "normal")
    axes.set_ylim(len(lines) - 0.4, -0.6)


def _draw_legend(figure: Figure, axes: Axes, *, published: bool) -> None:
    said = {"measured": axes.plot([], [], marker="o", markersize=4, color=LINE_COLORS[0], linewidth=1.1)[0]}
    if published:
        said["published"] = axes.plot(
            [], [], marker="D", markersize=4, color=LINE_COLORS[1], markerfacecolor="white", linestyle="none"
        )[0]
    figure.legend(
        [*said.values()], [*said], loc="outside upper right", ncols=2, fontsize=SMALL_FONT_SIZE, frameon=False
    )
