"""Pictures in lines: words at the left of each, small words above each picture."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy import ndarray

from lesionlens.experiments.figures.style import TEXT_COLOR, SMALL_FONT_SIZE, TINY_FONT_SIZE

LABEL_INCHES, FOOTER_INCHES, GAP_INCHES = 0.95, 0.22, 0.05  # inches: words at the left, at the foot, between pictures
COLORBAR_INCHES = 0.2  # inches: of the colours
CAPTION_LINE_INCHES = 0.095  # inches of a line of small words


class GridCell(NamedTuple):
    """A picture, (h, w, 3), what stands above it, and the mask, (h, w), whose outline is drawn over it."""

    image: ndarray
    caption: str = ""
    mask: ndarray | None = None


class GridRow(NamedTuple):
    """Pictures side by side, and what stands at their left."""

    label: str
    cells: Sequence[GridCell | None]


class ColorScale(NamedTuple):
    """The colours of a figure's maps, and what they go from and to."""

    colormap: Colormap
    min_label: str
    max_label: str


def image_grid_figure(rows: Sequence[GridRow], *, width: float = 7.2, scale: ColorScale | None = None) -> Figure:
    """Lay out lines of pictures, all tiles of the first picture's aspect.

    Parameters
    ----------
    rows
        All of one length.
    width
        Of the figure, inches; few pictures make it narrower.
    scale
        Shown at the foot.
    """
    across = len(rows[0].cells)
    tile = min(1.9, (width - LABEL_INCHES) / across - GAP_INCHES)
    first = next(each for each in rows[0].cells if each is not None).image
    high = tile * min(1.0, first.shape[0] / first.shape[1])
    room = int(tile / 0.05)  # letters that fit above a picture
    above = [CAPTION_LINE_INCHES * _caption_lines(line, room) + 0.06 for line in rows]
    size = (LABEL_INCHES + across * (tile + GAP_INCHES) + GAP_INCHES, sum(above) + len(rows) * high + FOOTER_INCHES + (COLORBAR_INCHES if scale else 0))
    figure = Figure(figsize=size)
    top = size[1]
    for line, words in zip(rows, above, strict=True):
        top -= words + high
        figure.text(0.05 / size[0], (top + high / 2) / size[1], textwrap.fill(line.label, 15), va="center",
                    fontsize=SMALL_FONT_SIZE, color=TEXT_COLOR, parse_math=False)  # fmt: skip
        for place, each in enumerate(line.cells):
            box = ((LABEL_INCHES + place * (tile + GAP_INCHES)) / size[0], top / size[1], tile / size[0], high / size[1])
            draw_cell(figure.add_axes(box), each, max_chars=room)
    if scale is not None:
        _draw_colorbar(figure, scale)
    return figure


def draw_cell(axes: Axes, cell: GridCell | None, *, max_chars: int) -> None:
    """Show one picture with its words and its lesion's outline; nothing where there is none."""
    axes.set_axis_off()
    if cell is None:
        return
    axes.imshow(cell.image, interpolation="lanczos")
    axes.set_title(_wrap_text(cell.caption, max_chars), fontsize=TINY_FONT_SIZE, pad=2, color=TEXT_COLOR, parse_math=False)
    if cell.mask is not None and 0 < np.count_nonzero(cell.mask) < cell.mask.size:
        inside = (cell.mask > 0).astype(float)
        # white within black is seen on any skin and any colour of a map
        axes.contour(inside, [0.5], colors="black", linewidths=0.9)
        axes.contour(inside, [0.5], colors="white", linewidths=0.45)


def _wrap_text(text: str, max_chars: int) -> str:
    """Break lines that are too long for a picture, but never a word."""
    return "\n".join(textwrap.fill(part, max_chars, break_long_words=False) for part in text.split("\n"))


def _caption_lines(row: GridRow, max_chars: int) -> int:
    return max(
        _wrap_text(each.caption, max_chars).count("\n") + 1 if each and each.caption else 0 for each in row.cells
    )


def _draw_colorbar(figure: Figure, scale: ColorScale) -> None:
    """Draw the colours at the right of the foot, with words at both ends."""
    width, height = figure.get_size_inches()
    end = width - 0.1 - 0.06 * len(scale.max_label)
    axes = figure.add_axes(((end - 0.8) / width, (FOOTER_INCHES + 0.03) / height, 0.8 / width, 0.08 / height))
    figure.colorbar(ScalarMappable(cmap=scale.colormap), cax=axes, orientation="horizontal", ticks=[])
    axes.set_ylabel(scale.min_label, rotation=0, ha="right", va="center", fontsize=TINY_FONT_SIZE, labelpad=4)
    axes.text(1.05, 0.5, scale.max_label, transform=axes.transAxes, va="center", fontsize=TINY_FONT_SIZE)
