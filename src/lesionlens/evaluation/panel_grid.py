"""Grid of square panels for curves: titles, texts and legends are above the panels, one for all of them below."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    NORMAL_FONT_SIZE,
    SMALL_FONT_SIZE,
    label_width,
    legend_height,
    legend_options,
    place_axes,
    place_legend,
    style_unit_square,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, wrap_text

MAX_TITLE_LINES = 4
_LEFT_INCHES, _BOTTOM_INCHES = 0.45, 0.4  # of ticks and label of an axis
_GAP_INCHES = 0.45  # between panels; texts may extend over half of it
_PADDING = 0.06  # inches between title, text, legend and panel


class SquarePanel(NamedTuple):
    """Title, text and labels of the curves of a panel; without labels, its legend is elsewhere."""

    title: str
    text: str = ""
    labels: tuple[str, ...] = ()


class _Header(NamedTuple):
    """Wrapped texts above a panel."""

    title: str
    text: str
    labels: list[str]


@dataclass(frozen=True)
class PanelGrid:
    """Positions of panels, in inches; rows have about equal numbers of panels.

    Attributes
    ----------
    panels
        Panels, row by row.
    axis_labels
        Labels of the horizontal and the vertical axis.
    side
        Side of a panel, in inches.
    max_columns
        Maximum number of panels in a row.
    left
        Width of ticks and label of the vertical axis, in inches.
    """

    panels: Sequence[SquarePanel]
    axis_labels: tuple[str, str]
    side: float = 1.65
    max_columns: int = 4
    left: float = _LEFT_INCHES

    @property
    def columns(self) -> int:
        """Number of panels in a row."""
        rows = max(1, math.ceil(len(self.panels) / self.max_columns))
        return max(1, math.ceil(len(self.panels) / rows))

    @property
    def width(self) -> float:
        """Width of the grid, with its axis labels."""
        return self.left + self.columns * (self.side + _GAP_INCHES) - _GAP_INCHES / 2 + 0.05

    @property
    def height(self) -> float:
        """Height of the grid, with its titles and axis labels."""
        return sum(self._header_heights) + len(self._header_heights) * (self.side + _BOTTOM_INCHES)

    @property
    def text_width(self) -> float:
        """Width of titles, texts and legends."""
        return self.side + _GAP_INCHES / 2

    @cached_property
    def _headers(self) -> list[_Header]:
        width = self.text_width
        return [
            _Header(
                wrap_text(panel.title, width, NORMAL_FONT_SIZE, bold=True, max_lines=MAX_TITLE_LINES),
                wrap_text(panel.text, width, SMALL_FONT_SIZE),
                [wrap_text(label, label_width(width), SMALL_FONT_SIZE) for label in panel.labels],
            )
            for panel in self.panels
        ]

    @cached_property
    def _header_heights(self) -> list[float]:
        """Height of the highest header of each row."""
        heights = [sum(self._part_heights(header)) + 2 * _PADDING for header in self._headers]
        return [max(heights[start : start + self.columns]) for start in range(0, len(heights), self.columns)]

    def _part_heights(self, header: _Header) -> tuple[float, float, float]:
        """Return the heights of title, text and legend, each with the distance to what is below it."""
        return (
            text_height(header.title, NORMAL_FONT_SIZE) + _PADDING,
            text_height(header.text, SMALL_FONT_SIZE) + _PADDING if header.text else 0.0,
            legend_height(header.labels, self.text_width) + _PADDING if header.labels else 0.0,
        )

    def add_axes(self, figure: Figure, *, top: float = 0.0) -> list[Axes]:
        """Add the empty panels with their axis labels to a figure, ``top`` inches below its upper edge."""
        panels = []
        for index in range(len(self.panels)):
            row, column = divmod(index, self.columns)
            left = self.left + column * (self.side + _GAP_INCHES)
            panel_top = top + sum(self._header_heights[: row + 1]) + row * (self.side + _BOTTOM_INCHES)
            axes = place_axes(figure, left=left, top=panel_top, width=self.side, height=self.side)
            style_unit_square(axes)
            is_lowest = index + self.columns >= len(self.panels)
            axes.set_xlabel(self.axis_labels[0] if is_lowest else "", fontsize=SMALL_FONT_SIZE)
            axes.set_ylabel(self.axis_labels[1] if column == 0 else "", fontsize=SMALL_FONT_SIZE)
            panels.append(axes)
        return panels

    def write_headers(self, panels: Sequence[Axes]) -> None:
        """Write titles, texts and legends above the panels, after their curves are plotted."""
        for axes, header in zip(panels, self._headers, strict=True):
            _, text_inches, legend_inches = self._part_heights(header)
            if header.labels:
                handles, _ = axes.get_legend_handles_labels()
                anchor = (0, 1 + _PADDING / 2 / self.side)
                options = legend_options(header.labels, self.text_width)
                axes.legend(handles, header.labels, loc="lower left", bbox_to_anchor=anchor, **options)
            axes.annotate(
                header.text, (0, 1), xycoords="axes fraction", xytext=(0, 72 * (legend_inches + _PADDING)),
                textcoords="offset points", va="bottom", fontsize=SMALL_FONT_SIZE, linespacing=LINE_SPACING,
            )  # fmt: skip
            axes.set_title(
                header.title, fontsize=NORMAL_FONT_SIZE, fontweight="bold", loc="left", linespacing=LINE_SPACING,
                pad=72 * (legend_inches + text_inches + _PADDING),
            )  # fmt: skip


def draw_panels(grid: PanelGrid, plot: Callable[[list[Axes]], None], legend: Mapping[str, str]) -> Figure:
    """Return a figure of a grid of panels with one legend below it.

    Parameters
    ----------
    grid
        The panels.
    plot
        Plots the curves of all panels.
    legend
        Text of each label in the legend; labels without a curve are excluded.
    """
    width = grid.width - 2 * _PADDING
    height = grid.height + legend_height([*legend.values()], width) + _PADDING
    figure = Figure(figsize=(grid.width, height), dpi=FIGURE_DPI)
    panels = grid.add_axes(figure)
    plot(panels)
    grid.write_headers(panels)
    curves = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels]
    handles = {label: handle for members in curves for handle, label in members}
    shown = {text: handles[label] for label, text in legend.items() if label in handles}
    place_legend(figure, [*shown.values()], [*shown], left=_PADDING, top=grid.height, width=width)
    return figure
