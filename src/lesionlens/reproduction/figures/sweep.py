"""Figure of a column over a varied parameter, a line per group of rows (Gessert et al. 2019, Fig. 5)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.core.figure_style import (
    FIGURE_DPI,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    TINY_FONT_SIZE,
    figure_rect,
    figure_style,
    label_width,
    legend_height,
    line_style,
    place_legend,
    set_plain_ticks,
    style_axes,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.figures.base import (
    FOOTER_INCHES,
    LINE_MARKERS,
    MARGIN_INCHES,
    CaptionedFigure,
    all_panels,
    incomplete_panels_note,
)
from lesionlens.reproduction.figures.dot_plot import ERROR_BARS_CAPTION, Dot, axis_label, summarize_dot
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import RowSpec

MAX_NAMED_TICKS = 10  # with more positions, matplotlib chooses the ticks
PLOT_WIDTH, PLOT_HEIGHT = 3.7, 2.4  # inches
AXIS_WIDTH, AXIS_HEIGHT = 0.6, 0.3  # inches, of the numbers at the axes
MAX_NAME_WIDTH, NAME_GAP = 1.2, 0.05  # inches: of the names of points, and their distance to the point


class _Point(NamedTuple):
    """A row, its position on the horizontal axis, and its summary."""

    x: float | None
    row: RowSpec
    dot: Dot | None


class _Name(NamedTuple):
    """A name and its data point."""

    text: str
    x: float
    y: float


@figure_style()
def sweep_figure(results: TableResults) -> CaptionedFigure | None:
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
    figure, unnamed = _draw_figure(points, column, spec.figure.x_label, axis_label(results, column))
    unmeasured = [point.row.name for point in points if point.dot is None and point.row.recipe]
    notes = [f"Not measured: {', '.join(unmeasured)}."] if unmeasured else []
    notes += [f"Without a name in the figure: {', '.join(unnamed)}."] if unnamed else []
    caption = f"{spec.figure.caption} {ERROR_BARS_CAPTION}"
    return CaptionedFigure(figure, caption, (*notes, *incomplete_panels_note(results, all_panels(results))))


def _draw_figure(
    points: Sequence[_Point], column: ColumnSpec, x_label: str, y_label: str
) -> tuple[Figure, list[str]]:
    """Draw groups of points and reference levels below their legend; return also the names without space."""
    x_label = wrap_text(x_label, PLOT_WIDTH, SMALL_FONT_SIZE)
    y_label = wrap_text(y_label, PLOT_HEIGHT, SMALL_FONT_SIZE, max_lines=3)
    figure = Figure(dpi=FIGURE_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    names = _draw_points(axes, points, column)
    style_axes(axes, x_label=x_label, y_label=y_label)
    set_plain_ticks(axes.yaxis)
    handles, labels = axes.get_legend_handles_labels()
    labels = [wrap_text(label, label_width(PLOT_WIDTH), SMALL_FONT_SIZE, max_lines=3) for label in labels]
    top = legend_height(labels, PLOT_WIDTH) + 2 * MARGIN_INCHES
    left = AXIS_WIDTH + text_height(y_label, SMALL_FONT_SIZE)
    below = AXIS_HEIGHT + text_height(x_label, SMALL_FONT_SIZE) + FOOTER_INCHES
    figure.set_size_inches(left + PLOT_WIDTH + 3 * MARGIN_INCHES, top + PLOT_HEIGHT + below)
    axes.set_position(figure_rect(figure, left=left, top=top, width=PLOT_WIDTH, height=PLOT_HEIGHT))
    place_legend(figure, handles, labels, left=left, top=MARGIN_INCHES, width=PLOT_WIDTH)
    return figure, _write_names(axes, names)


def _draw_points(axes: Axes, points: Sequence[_Point], column: ColumnSpec) -> list[_Name]:
    """Draw all points; return the names of those that neither the axis nor the legend names."""
    positioned = [point for point in points if point.x is not None]
    groups = list(dict.fromkeys(point.row.group for point in positioned))
    _set_ticks(axes, sorted({point.x for point in positioned if point.x is not None}))
    names = []
    for number, group in enumerate(groups):
        members = sorted(
            (point for point in positioned if point.row.group == group), key=lambda point: point.x or 0.0
        )
        names += _draw_group(axes, members, column, number, num_groups=len(groups))
    return names + _draw_levels(axes, [point for point in points if point.x is None])


def _set_ticks(axes: Axes, positions: Sequence[float]) -> None:
    """Set the limits of the horizontal axis, and a tick per position if there is space for all."""
    if not positions:
        return
    margin = 0.06 * (positions[-1] - positions[0] or 1.0)
    axes.set_xlim(positions[0] - margin, positions[-1] + margin)
    labels = [f"{x:g}" for x in positions]
    scale = PLOT_WIDTH / (positions[-1] - positions[0] + 2 * margin)
    widest = max(text_width(label, SMALL_FONT_SIZE) for label in labels) + MARGIN_INCHES
    narrowest_gap = min((scale * (right - left) for left, right in pairwise(positions)), default=widest)
    if len(positions) <= MAX_NAMED_TICKS and narrowest_gap >= widest:
        axes.set_xticks(positions, labels)


def _draw_group(
    axes: Axes, points: Sequence[_Point], column_spec: ColumnSpec, number: int, *, num_groups: int
) -> list[_Name]:
    """Plot the line of one group, shifted slightly so that error bars of groups do not overlap.

    Return the names of the points, unless they contain the position or have a group.
    """
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
    for x, dot, _ in measured:
        axes.errorbar(x, dot.mean, yerr=dot.error_bars, color=color, linewidth=0.9, capsize=2)
    published = [(point.x, point.row.published[column_spec.name].value) for point in points
                 if column_spec.name in point.row.published]  # fmt: skip
    if published:
        axes.plot(*zip(*published, strict=True), linestyle="none", markerfacecolor="white", color=color, zorder=3,
                  label=f"{group}, published" if group else "published", **marker)  # fmt: skip
    return [
        _Name(name, x, dot.mean) for x, dot, name in measured if not group and f"{x - shift:g}" not in name
    ]


def _draw_levels(axes: Axes, points: Sequence[_Point]) -> list[_Name]:
    """Plot rows without a position as horizontal lines; return their names, at the left end."""
    levels = [(point.row.name, point.dot.mean) for point in points if point.dot is not None]
    for _, level in levels:
        axes.axhline(level, color=MUTED_COLOR, linewidth=0.9, dashes=(4, 2), zorder=1)
    return [_Name(name, axes.get_xlim()[0], level) for name, level in levels]


def _write_names(axes: Axes, names: Sequence[_Name]) -> list[str]:
    """Write each name as close to its point as there is space in the plot; return those that have none."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    axes.set_ylim(y0, y1)
    written: list[Bbox] = []
    unnamed = []
    for name in names:
        text = wrap_text(name.text, MAX_NAME_WIDTH, TINY_FONT_SIZE, max_lines=2)
        size = text_width(text, TINY_FONT_SIZE), text_height(text, TINY_FONT_SIZE)
        point = PLOT_WIDTH * (name.x - x0) / (x1 - x0), PLOT_HEIGHT * (name.y - y0) / (y1 - y0)
        box = next((box for box in _boxes_near(point, size) if not box.count_overlaps(written)), None)
        if box is None:
            unnamed.append(name.text)
        else:
            written.append(box)
            _annotate(axes, text, (name.x, name.y), (box.x0 - point[0], box.y0 - point[1]))
    return unnamed


def _boxes_near(point: tuple[float, float], size: tuple[float, float]) -> Iterator[Bbox]:
    """Yield boxes of a size within the plot, in inches: above and below the point, at its sides, ever further away."""
    (x, y), (width, height) = point, size
    for step in range(int(PLOT_HEIGHT / height)):
        bottoms = y + NAME_GAP + step * height, y - NAME_GAP - (step + 1) * height
        for bottom, left in product(bottoms, (x + NAME_GAP, x - NAME_GAP - width)):
            if 0 <= left <= PLOT_WIDTH - width and 0 <= bottom <= PLOT_HEIGHT - height:
                yield Bbox.from_bounds(left, bottom, width, height)


def _annotate(axes: Axes, text: str, xy: tuple[float, float], offset: tuple[float, float]) -> None:
    """Write a name at an offset (inches) from a data point, on a background that keeps it legible."""
    background = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4}
    distance = min(abs(offset[1]), abs(offset[1] + text_height(text, TINY_FONT_SIZE)))
    line = {"arrowstyle": "-", "color": MUTED_COLOR, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2}
    axes.annotate(
        text, xy, (72 * offset[0], 72 * offset[1]), textcoords="offset points", fontsize=TINY_FONT_SIZE,
        color=TEXT_COLOR, linespacing=LINE_SPACING, va="bottom", zorder=4,
        bbox=background, arrowprops=line if distance > 2 * NAME_GAP else None,
    )  # fmt: skip
