"""Figure of a column over a varied parameter, a line per group of rows (Gessert et al. 2019, Fig. 5)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.reproduction.figures.base import (
    LINE_MARKERS,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    TINY_FONT_SIZE,
    FigureDraft,
    all_panels,
    incomplete_panels_note,
    line_style,
    style_axes,
)
from lesionlens.reproduction.figures.dot_plot import ERROR_BARS_CAPTION, Dot, axis_label, summarize_dot
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import ColumnSpec, RowSpec

MAX_NAMED_TICKS = 10  # with more positions, matplotlib chooses the ticks
MAX_GROUPS_IN_AXES = 3  # with more groups, the legend is outside the plot


class _Point(NamedTuple):
    """A row, its position on the horizontal axis, and its summary."""

    x: float | None
    row: RowSpec
    dot: Dot | None


def sweep_figure(results: TableResults) -> FigureDraft | None:
    """Plot a column over the rows' ``x_value``: measured values with intervals, published ones as hollow marks.

    A row without ``x_value`` is a reference level: a dashed horizontal line.

    Raises
    ------
    RecipeError
        The figure's target is not a column.
    """
    spec = results.spec
    assert spec.figure is not None
    columns = [column.name for column in spec.columns]
    if spec.figure.target not in columns:
        raise RecipeError(unknown_name_message("column of the sweep", spec.figure.target, columns))
    column = spec.column(spec.figure.target)
    points = [_Point(row.x_value, row, summarize_dot(results, row.name, column)) for row in spec.rows]
    if not any(point.dot for point in points):
        return None
    groups = list(dict.fromkeys(point.row.group for point in points if point.x is not None))
    figure = Figure(figsize=(4.4 if len(groups) <= MAX_GROUPS_IN_AXES else 6.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    _set_ticks(axes, sorted({point.x for point in points if point.x is not None}))
    for number, group in enumerate(groups):
        members = [point for point in points if point.row.group == group and point.x is not None]
        _draw_group(
            axes, sorted(members, key=lambda point: point.x or 0.0), column, number, num_groups=len(groups)
        )
    _draw_levels(axes, [point for point in points if point.x is None])
    style_axes(axes, x_label=spec.figure.x_label, y_label=axis_label(results, column))
    if len(groups) <= MAX_GROUPS_IN_AXES:
        axes.legend(fontsize=SMALL_FONT_SIZE, frameon=False)
    else:
        figure.legend(loc="outside right upper", fontsize=SMALL_FONT_SIZE, frameon=False)
    unmeasured = [point.row.name for point in points if point.dot is None and point.row.recipe]
    notes = (f"Not measured: {', '.join(unmeasured)}.",) if unmeasured else ()
    caption = f"{spec.figure.caption} {ERROR_BARS_CAPTION}"
    return FigureDraft(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _set_ticks(axes: Axes, positions: Sequence[float]) -> None:
    """Set the limits of the horizontal axis, and a tick per position if there are few."""
    margin = 0.06 * (positions[-1] - positions[0] or 1.0) if positions else 0.0
    if positions:
        axes.set_xlim(positions[0] - margin, positions[-1] + margin)
    min_gap = min((right - left for left, right in pairwise(positions)), default=1.0)
    if len(positions) <= MAX_NAMED_TICKS and min_gap > margin:
        axes.set_xticks(positions, [f"{x:g}" for x in positions])


def _draw_group(
    axes: Axes, points: Sequence[_Point], column_spec: ColumnSpec, number: int, *, num_groups: int
) -> None:
    """Plot the line of one group, shifted slightly so that error bars of groups do not overlap."""
    low, high = axes.get_xlim()
    shift = (number - (num_groups - 1) / 2) * (high - low) / 100
    marker: dict[str, Any] = {"marker": LINE_MARKERS[number % len(LINE_MARKERS)], "markersize": 4.5}
    color, group = line_style(number)["color"], points[0].row.group
    has_published = not group or any(column_spec.name in point.row.published for point in points)
    label = ", ".join(filter(None, (group, "measured" if has_published else "")))
    measured = [
        (point.x + shift, point.dot, point.row.name) for point in points if point.dot and point.x is not None
    ]
    if measured:
        axes.plot([x for x, *_ in measured], [dot.mean for _, dot, _ in measured], linewidth=1.2,
                  label=label, **marker, **line_style(number))  # fmt: skip
    for index, (x, dot, name) in enumerate(measured):
        axes.errorbar(x, dot.mean, yerr=dot.error_bars, color=color, linewidth=0.9, capsize=2)
        if not group and f"{x - shift:g}" not in name:
            # alternately above and below, as neighbors may be close
            _annotate(axes, name, (x, dot.mean), (3, -9 if index % 2 else 4))
    published = [(point.x, point.row.published[column_spec.name].value) for point in points
                 if column_spec.name in point.row.published]  # fmt: skip
    if published:
        axes.plot(*zip(*published, strict=True), linestyle="none", markerfacecolor="white", color=color, zorder=3,
                  label=f"{group}, published" if group else "published", **marker)  # fmt: skip


def _draw_levels(axes: Axes, points: Sequence[_Point]) -> None:
    """Plot rows without a position as horizontal lines, each with its name at the left end."""
    for point in points:
        if point.dot is not None:
            axes.axhline(point.dot.mean, color=MUTED_COLOR, linewidth=0.9, dashes=(4, 2), zorder=1)
            _annotate(axes, point.row.name, (axes.get_xlim()[0], point.dot.mean), (2, 2))


def _annotate(axes: Axes, text: str, xy: tuple[float, float], offset: tuple[int, int]) -> None:
    """Write a name at an offset (points) from a data point, on a background that keeps it legible."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4}
    axes.annotate(
        text, xy, offset, textcoords="offset points", fontsize=TINY_FONT_SIZE, color=TEXT_COLOR, parse_math=False,
        zorder=4, bbox=box,
    )  # fmt: skip
