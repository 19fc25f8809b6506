"""Grid of images: a label to the left of each row, a caption above each image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy import ndarray

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    TINY_FONT_SIZE,
    figure_style,
    place_axes,
    place_text,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.reproduction.figures.base import FOOTER_INCHES, MARGIN_INCHES

LABEL_INCHES = 0.95  # width of the labels
GAP_INCHES = 0.05  # between images
COLORBAR_INCHES, COLORBAR_WIDTH = 0.2, 0.8
MAX_CAPTION_LINES = 4


class GridCell(NamedTuple):
    """An image (h, w, 3), its caption, and the mask (h, w) whose outline is plotted over it."""

    image: ndarray
    caption: str = ""
    mask: ndarray | None = None


class GridRow(NamedTuple):
    """A row of images and its label; None leaves a gap."""

    label: str
    cells: Sequence[GridCell | None]


class ColorScale(NamedTuple):
    """Colormap of a figure's maps, with the labels of its ends."""

    colormap: Colormap
    min_label: str
    max_label: str


@figure_style()
def image_grid_figure(
    rows: Sequence[GridRow], *, width: float = 7.2, scale: ColorScale | None = None
) -> Figure:
    """Arrange rows of images, all with the aspect ratio of the first one.

    Parameters
    ----------
    rows
        Rows of equal length.
    width
        Maximum width of the figure in inches; few images make it narrower.
    scale
        Color scale at the bottom; None: no scale.
    """
    num_columns = len(rows[0].cells)
    tile_width = min(1.9, (width - LABEL_INCHES) / num_columns - GAP_INCHES)
    first = next(cell for cell in rows[0].cells if cell is not None).image
    tile_height = tile_width * min(1.0, first.shape[0] / first.shape[1])
    labels = [
        wrap_text(
            row.label, LABEL_INCHES - 2 * MARGIN_INCHES, SMALL_FONT_SIZE, max_lines=_max_lines(tile_height)
        )
        for row in rows
    ]
    caption_heights = [_caption_height(row, tile_width) for row in rows]
    size = (
        LABEL_INCHES + num_columns * (tile_width + GAP_INCHES) + GAP_INCHES,
        sum(caption_heights) + len(rows) * tile_height + FOOTER_INCHES + (COLORBAR_INCHES if scale else 0),
    )
    figure = Figure(figsize=size, dpi=FIGURE_DPI)
    top = 0.0
    for row, label, caption_height in zip(rows, labels, caption_heights, strict=True):
        top += caption_height
        middle = top + (tile_height - text_height(label, SMALL_FONT_SIZE)) / 2
        place_text(figure, label, left=MARGIN_INCHES, top=middle, fontsize=SMALL_FONT_SIZE)
        for column, cell in enumerate(row.cells):
            left = LABEL_INCHES + column * (tile_width + GAP_INCHES)
            axes = place_axes(figure, left=left, top=top, width=tile_width, height=tile_height)
            draw_cell(axes, cell, width=tile_width)
        top += tile_height
    if scale is not None:
        _draw_colorbar(figure, scale)
    return figure


def _max_lines(height: float) -> int:
    return max(1, int(height / text_height("", SMALL_FONT_SIZE)))


def draw_cell(axes: Axes, cell: GridCell | None, *, width: float) -> None:
    """Show an image with its caption and the outline of its lesion, ``width`` inches wide; nothing if there is none."""
    axes.set_axis_off()
    if cell is None:
        return
    axes.imshow(cell.image, interpolation="lanczos")
    axes.set_title(
        wrap_caption(cell.caption, width),
        fontsize=TINY_FONT_SIZE,
        pad=2,
        color=TEXT_COLOR,
        linespacing=LINE_SPACING,
    )
    if cell.mask is not None and 0 < np.count_nonzero(cell.mask) < cell.mask.size:
        inside = (cell.mask > 0).astype(float)
        # a white line on a black one is visible on any skin and any color of a map
        axes.contour(inside, [0.5], colors="black", linewidths=0.9)
        axes.contour(inside, [0.5], colors="white", linewidths=0.45)


def wrap_caption(text: str, width: float) -> str:
    """Wrap a caption to the width of its image, in inches."""
    return wrap_text(text, width, TINY_FONT_SIZE, max_lines=MAX_CAPTION_LINES)


def _caption_height(row: GridRow, width: float) -> float:
    """Return the height above a row's images, in inches."""
    captions = [wrap_caption(cell.caption, width) for cell in row.cells if cell and cell.caption]
    return max((text_height(caption, TINY_FONT_SIZE) for caption in captions), default=0.0) + MARGIN_INCHES


def _draw_colorbar(figure: Figure, scale: ColorScale) -> None:
    """Plot the color scale at the bottom right, with labels at both ends."""
    width, height = figure.get_size_inches()
    top = height - FOOTER_INCHES - COLORBAR_INCHES + MARGIN_INCHES
    left = width - text_width(scale.max_label, TINY_FONT_SIZE) - COLORBAR_WIDTH - 3 * MARGIN_INCHES
    axes = place_axes(figure, left=left, top=top, width=COLORBAR_WIDTH, height=0.08)
    figure.colorbar(ScalarMappable(cmap=scale.colormap), cax=axes, orientation="horizontal", ticks=[])
    for x, text, side, offset in ((0, scale.min_label, "right", -3), (1, scale.max_label, "left", 3)):
        axes.annotate(
            text, (x, 0.5), xycoords="axes fraction", xytext=(offset, 0), textcoords="offset points", ha=side,
            va="center", fontsize=TINY_FONT_SIZE,
        )  # fmt: skip
