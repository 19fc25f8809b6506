"""Grid of images: a label to the left of each row, a caption above each image."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy import ndarray

from lesionlens.reproduction.figures.base import SMALL_FONT_SIZE, TEXT_COLOR, TINY_FONT_SIZE

LABEL_INCHES = 0.95  # width of the labels
FOOTER_INCHES = 0.22
GAP_INCHES = 0.05  # between images
COLORBAR_INCHES = 0.2
CAPTION_LINE_INCHES = 0.095  # height of a line of a caption


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
    max_chars = int(tile_width / 0.05)  # characters per line above an image
    caption_heights = [CAPTION_LINE_INCHES * _caption_lines(row, max_chars) + 0.06 for row in rows]
    size = (
        LABEL_INCHES + num_columns * (tile_width + GAP_INCHES) + GAP_INCHES,
        sum(caption_heights) + len(rows) * tile_height + FOOTER_INCHES + (COLORBAR_INCHES if scale else 0),
    )
    figure = Figure(figsize=size)
    bottom = size[1]
    for row, caption_height in zip(rows, caption_heights, strict=True):
        bottom -= caption_height + tile_height
        figure.text(0.05 / size[0], (bottom + tile_height / 2) / size[1], textwrap.fill(row.label, 15), va="center",
                    fontsize=SMALL_FONT_SIZE, color=TEXT_COLOR, parse_math=False)  # fmt: skip
        for column, cell in enumerate(row.cells):
            left = LABEL_INCHES + column * (tile_width + GAP_INCHES)
            box = (left / size[0], bottom / size[1], tile_width / size[0], tile_height / size[1])
            draw_cell(figure.add_axes(box), cell, max_chars=max_chars)
    if scale is not None:
        _draw_colorbar(figure, scale)
    return figure


def draw_cell(axes: Axes, cell: GridCell | None, *, max_chars: int) -> None:
    """Show an image with its caption and the outline of its lesion; nothing if there is none."""
    axes.set_axis_off()
    if cell is None:
        return
    axes.imshow(cell.image, interpolation="lanczos")
    axes.set_title(
        _wrap_text(cell.caption, max_chars),
        fontsize=TINY_FONT_SIZE,
        pad=2,
        color=TEXT_COLOR,
        parse_math=False,
    )
    if cell.mask is not None and 0 < np.count_nonzero(cell.mask) < cell.mask.size:
        inside = (cell.mask > 0).astype(float)
        # a white line on a black one is visible on any skin and any color of a map
        axes.contour(inside, [0.5], colors="black", linewidths=0.9)
        axes.contour(inside, [0.5], colors="white", linewidths=0.45)


def _wrap_text(text: str, max_chars: int) -> str:
    """Wrap lines to the width of an image, without breaking words."""
    return "\n".join(textwrap.fill(line, max_chars, break_long_words=False) for line in text.split("\n"))


def _caption_lines(row: GridRow, max_chars: int) -> int:
    return max(
        _wrap_text(cell.caption, max_chars).count("\n") + 1 if cell and cell.caption else 0
        for cell in row.cells
    )


def _draw_colorbar(figure: Figure, scale: ColorScale) -> None:
    """Plot the color scale at the bottom right, with labels at both ends."""
    width, height = figure.get_size_inches()
    end = width - 0.1 - 0.06 * len(scale.max_label)
    axes = figure.add_axes(((end - 0.8) / width, (FOOTER_INCHES + 0.03) / height, 0.8 / width, 0.08 / height))
    figure.colorbar(ScalarMappable(cmap=scale.colormap), cax=axes, orientation="horizontal", ticks=[])
    axes.set_ylabel(scale.min_label, rotation=0, ha="right", va="center", fontsize=TINY_FONT_SIZE, labelpad=4)
    axes.text(1.05, 0.5, scale.max_label, transform=axes.transAxes, va="center", fontsize=TINY_FONT_SIZE)
