"""A column over what is varied, a line for each group of rows (Gessert et al. 2019, Fig. 5)."""

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

MAX_NAMED_TICKS = 10  # places on the axis that are all named
MAX_GROUPS_IN_AXES = 3  # groups whose names fit into the axes


class _Point(NamedTuple):
    """A row, its place on the axis and what it came to."""

    x: float | None
    row: RowSpec
    dot: Dot | None


def sweep_figure(results: TableResults) -> FigureDraft | None:
    """Draw one column over the rows' ``x_value``: measured with intervals, published as hollow marks.

    A row without ``x_value`` is a level to compare with: a dashed line all across.

    Raises
    ------
    RecipeError
        The figure names no column.
    """
    experiment = results.spec
    assert experiment.figure is not None
    columns = [metric.name for metric in experiment.columns]
    if experiment.figure.target not in columns:
        raise RecipeError(unknown_name_message("column of the sweep", experiment.figure.target, columns))
    metric = experiment.column(experiment.figure.target)
    points = [_Point(row.x_value, row, summarize_dot(results, row.name, metric)) for row in experiment.rows]
    if not any(point.dot for point in points):
        return None
    groups = list(dict.fromkeys(point.row.group for point in points if point.x is not None))
    figure = Figure(figsize=(4.4 if len(groups) <= MAX_GROUPS_IN_AXES else 6.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    _set_ticks(axes, sorted({point.x for point in points if point.x is not None}))
    for number, group in enumerate(groups):
        own = [point for point in points if point.row.group == group and point.x is not None]
        _draw_group(
            axes, sorted(own, key=lambda point: point.x or 0.0), metric, number, num_groups=len(groups)
        )
    _draw_levels(axes, [point for point in points if point.x is None])
    style_axes(axes, x_label=experiment.figure.x_label, y_label=axis_label(results, metric))
    if len(groups) <= MAX_GROUPS_IN_AXES:
        axes.legend(fontsize=SMALL_FONT_SIZE, frameon=False)
    else:
        figure.legend(loc="outside right upper", fontsize=SMALL_FONT_SIZE, frameon=False)
    unmeasured = [point.row.name for point in points if point.dot is None and point.row.recipe]
    notes = (f"Not measured: {', '.join(unmeasured)}.",) if unmeasured else ()
    caption = f"{experiment.figure.caption} {ERROR_BARS_CAPTION}"
    return FigureDraft(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _set_ticks(axes: Axes, positions: Sequence[float]) -> None:
    """Name each place on the axis where there are few, and leave room for all of them."""
    room = 0.06 * (positions[-1] - positions[0] or 1.0) if positions else 0.0
    if positions:
        axes.set_xlim(positions[0] - room, positions[-1] + room)
    apart = min((right - left for left, right in pairwise(positions)), default=1.0)
    if len(positions) <= MAX_NAMED_TICKS and apart > room:
        axes.set_xticks(positions, [f"{x:g}" for x in positions])


def _draw_group(
    axes: Axes, points: Sequence[_Point], column_spec: ColumnSpec, number: int, *, num_groups: int
) -> None:
    """Draw one line; groups stand side by side, so that no bar hides another."""
    low, high = axes.get_xlim()
    aside = (number - (num_groups - 1) / 2) * (high - low) / 100
    look: dict[str, Any] = {"marker": LINE_MARKERS[number % len(LINE_MARKERS)], "markersize": 4.5}
    colour, group = line_style(number)["color"], points[0].row.group
    told = not group or any(column_spec.name in point.row.published for point in points)
    label = ", ".join(filter(None, (group, "measured" if told else "")))
    known = [
        (point.x + aside, point.dot, point.row.name) for point in points if point.dot and point.x is not None
    ]
    if known:
        axes.plot([x for x, *_ in known], [found.mean for _, found, _ in known], linewidth=1.2,
                  label=label, **look, **line_style(number))  # fmt: skip
    for place, (x, found, name) in enumerate(known):
        axes.errorbar(x, found.mean, yerr=found.error_bars, color=colour, linewidth=0.9, capsize=2)
        if not group and f"{x - aside:g}" not in name:
            # above and below by turns, as neighbours may lie close
            _annotate(axes, name, (x, found.mean), (3, -9 if place % 2 else 4))
    published = [(point.x, point.row.published[column_spec.name].value) for point in points
                 if column_spec.name in point.row.published]  # fmt: skip
    if published:
        axes.plot(*zip(*published, strict=True), linestyle="none", markerfacecolor="white", color=colour, zorder=3,
                  label=f"{group}, published" if group else "published", **look)  # fmt: skip


def _draw_levels(axes: Axes, points: Sequence[_Point]) -> None:
    """Draw rows without a place as lines all across, each with its name at the left end."""
    for point in points:
        if point.dot is not None:
            axes.axhline(point.dot.mean, color=MUTED_COLOR, linewidth=0.9, dashes=(4, 2), zorder=1)
            _annotate(axes, point.row.name, (axes.get_xlim()[0], point.dot.mean), (2, 2))


def _annotate(axes: Axes, text: str, xy: tuple[float, float], offset: tuple[int, int]) -> None:
    """Write a name beside a point, in points off it, legible over lines."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4}
    axes.annotate(
        text, xy, offset, textcoords="offset points", fontsize=TINY_FONT_SIZE, color=TEXT_COLOR, parse_math=False,
        zorder=4, bbox=box,
    )  # fmt: skip
