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

from lesionlens.experiments.figures.style import INK, SMALL, TINY

LEFT, FOOT, GAP = 0.95, 0.22, 0.05  # inches: words at the left, at the foot, between pictures
BAR = 0.2  # inches: of the colours
WORDS = 0.095  # inches of a line of small words


class Tile(NamedTuple):
    """A picture, (h, w, 3), what stands above it, and the mask, (h, w), whose outline is drawn over it."""

    image: ndarray
    words: str = ""
    mask: ndarray | None = None


class Line(NamedTuple):
    """Pictures side by side, and what stands at their left."""

    label: str
    tiles: Sequence[Tile | None]


class Scale(NamedTuple):
    """The colours of a figure's maps, and what they go from and to."""

    colours: Colormap
    low: str
    high: str


def lines_figure(lines: Sequence[Line], *, width: float = 7.2, scale: Scale | None = None) -> Figure:
    """Lay out lines of pictures, all tiles of the first picture's aspect.

    Parameters
    ----------
    lines
        All of one length.
    width
        Of the figure, inches; few pictures make it narrower.
    scale
        Shown at the foot.
    """
    across = len(lines[0].tiles)
    tile = min(1.9, (width - LEFT) / across - GAP)
    first = next(each for each in lines[0].tiles if each is not None).image
    high = tile * min(1.0, first.shape[0] / first.shape[1])
    room = int(tile / 0.05)  # letters that fit above a picture
    above = [WORDS * _rows(line, room) + 0.06 for line in lines]
    size = (LEFT + across * (tile + GAP) + GAP, sum(above) + len(lines) * high + FOOT + (BAR if scale else 0))
    figure = Figure(figsize=size)
    top = size[1]
    for line, words in zip(lines, above, strict=True):
        top -= words + high
        figure.text(0.05 / size[0], (top + high / 2) / size[1], textwrap.fill(line.label, 15), va="center",
                    fontsize=SMALL, color=INK, parse_math=False)  # fmt: skip
        for place, each in enumerate(line.tiles):
            box = ((LEFT + place * (tile + GAP)) / size[0], top / size[1], tile / size[0], high / size[1])
            show(figure.add_axes(box), each, room=room)
    if scale is not None:
        _bar(figure, scale)
    return figure


def show(axes: Axes, tile: Tile | None, *, room: int) -> None:
    """Show one picture with its words and its lesion's outline; nothing where there is none."""
    axes.set_axis_off()
    if tile is None:
        return
    axes.imshow(tile.image, interpolation="lanczos")
    axes.set_title(_wrapped(tile.words, room), fontsize=TINY, pad=2, color=INK, parse_math=False)
    if tile.mask is not None and 0 < np.count_nonzero(tile.mask) < tile.mask.size:
        inside = (tile.mask > 0).astype(float)
        # white within black is seen on any skin and any colour of a map
        axes.contour(inside, [0.5], colors="black", linewidths=0.9)
        axes.contour(inside, [0.5], colors="white", linewidths=0.45)


def _wrapped(words: str, room: int) -> str:
    """Break lines that are too long for a picture, but never a word."""
    return "\n".join(textwrap.fill(part, room, break_long_words=False) for part in words.split("\n"))


def _rows(line: Line, room: int) -> int:
    return max(
        _wrapped(each.words, room).count("\n") + 1 if each and each.words else 0 for each in line.tiles
    )


def _bar(figure: Figure, scale: Scale) -> None:
    """Draw the colours at the right of the foot, with words at both ends."""
    width, height = figure.get_size_inches()
    end = width - 0.1 - 0.06 * len(scale.high)
    axes = figure.add_axes(((end - 0.8) / width, (FOOT + 0.03) / height, 0.8 / width, 0.08 / height))
    figure.colorbar(ScalarMappable(cmap=scale.colours), cax=axes, orientation="horizontal", ticks=[])
    axes.set_ylabel(scale.low, rotation=0, ha="right", va="center", fontsize=TINY, labelpad=4)
    axes.text(1.05, 0.5, scale.high, transform=axes.transAxes, va="center", fontsize=TINY)
