"""Figure of the class counts of datasets (Yan 2020, Fig. 3.1; Gessert et al. 2019, Table I)."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    figure_style,
    place_axes,
    place_text,
    style_axes,
)
from lesionlens.core.fonts import text_height
from lesionlens.evaluation.formatting import display_name
from lesionlens.reproduction.figures.base import FOOTER_INCHES, MARGIN_INCHES, CaptionedFigure
from lesionlens.reproduction.planner import TableResults

BAR_INCHES, ROW_INCHES = 1.6, 0.2  # length of an axis, and height of a bar
NAME_INCHES, NUMBER_INCHES = 1.25, 0.5  # width of the names of classes, and of the numbers behind bars
AXIS_INCHES = 0.3


@figure_style()
def class_counts_figure(results: TableResults) -> CaptionedFigure | None:
    """Plot the number of images of each class, a panel per row of the table; None if nothing is counted."""
    spec, counts = results.spec, results.class_counts
    if not counts or spec.figure is None:
        return None
    figure = Figure(dpi=FIGURE_DPI)
    width = NAME_INCHES + BAR_INCHES + NUMBER_INCHES
    title_height = text_height("", SMALL_FONT_SIZE) + 2 * MARGIN_INCHES
    height = ROW_INCHES * max(map(len, counts.values()))
    figure.set_size_inches(
        len(counts) * width + MARGIN_INCHES, title_height + height + AXIS_INCHES + FOOTER_INCHES
    )
    for number, (row, numbers) in enumerate(counts.items()):
        left = number * width + NAME_INCHES
        place_text(figure, row, left=left, top=MARGIN_INCHES, fontsize=SMALL_FONT_SIZE)
        axes = place_axes(
            figure, left=left, top=title_height, width=BAR_INCHES, height=ROW_INCHES * len(numbers)
        )
        _draw_bars(axes, numbers)
    missing = [row.name for row in spec.rows if row.name not in counts]
    notes = (f"Not counted: {', '.join(missing)}.",) if missing else ()
    return CaptionedFigure(figure, spec.figure.caption, notes)


def _draw_bars(axes: Axes, counts: Mapping[str, int]) -> None:
    """Plot a bar per class from top to bottom, with its number behind it."""
    positions = range(len(counts))
    axes.barh(positions, list(counts.values()), height=0.7)
    axes.set_yticks(positions, [display_name(name) for name in counts])
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xlim(0, max(1, *counts.values()))
    axes.set_xticks([])
    for position, number in zip(positions, counts.values(), strict=True):
        axes.annotate(
            f"{number:,}", (number, position), xytext=(3, 0), textcoords="offset points", va="center",
            fontsize=SMALL_FONT_SIZE, color=TEXT_COLOR, annotation_clip=False,
        )  # fmt: skip
    style_axes(axes)
