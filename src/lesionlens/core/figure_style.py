"""Style of all figures: colors, font sizes, texts and axes placed in inches, axes of epochs, legends and saving."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from lesionlens.core.fonts import LINE_SPACING, font_families, missing_glyphs, text_height, text_width

SMALL_FONT_SIZE, NORMAL_FONT_SIZE, TINY_FONT_SIZE = 7.0, 8.0, 5.5  # points, for a journal's column width
# distinguishable with color vision deficiency (Okabe and Ito 2008, without yellow, which is hardly visible on white)
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
LINE_COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
TEXT_COLOR, MUTED_COLOR, GRID_COLOR = "0.15", "#8A8A8A", "#E6E6E6"
FIGURE_DPI = 200  # pixels per inch
MIN_EPOCHS_FOR_LINE = 3  # fewer epochs are marked as points: a line would be too short to see
MAX_EPOCH_TICKS = 4

_HANDLE_LENGTH, _HANDLE_GAP, _COLUMN_GAP, _ROW_GAP = 1.8, 0.6, 1.6, 0.25  # font sizes, of a legend

_LEGEND_LINE = 1.06  # legends space lines by the height of a font, which is larger than its size


@contextmanager
def figure_style() -> Iterator[None]:
    """Use the fonts of `font_families`, and names as they are, without mathematical notation; also a decorator."""
    fonts = [
        *font_families(),
        "sans-serif",
    ]  # the last one for SVG files, if their reader has none of the others
    with warnings.catch_warnings(), rc_context({"font.family": fonts, "text.parse_math": False}):
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def line_style(number: int) -> dict[str, Any]:
    """Return color and dashes of line ``number``; consecutive lines differ in both, also in black and white."""
    return {
        "color": LINE_COLORS[number % len(LINE_COLORS)],
        "linestyle": LINE_DASHES[number % len(LINE_DASHES)],
    }


def figure_rect(
    figure: Figure, *, left: float, top: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """Return the position of axes as Matplotlib describes it, from inches from the top left corner of the figure."""
    across, down = figure.get_size_inches()
    return left / across, 1 - (top + height) / down, width / across, height / down


def place_axes(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches from the top left corner."""
    return figure.add_axes(figure_rect(figure, left=left, top=top, width=width, height=height))


def place_text(figure: Figure, text: str, *, left: float, top: float, **options: Any) -> Text:
    """Write text whose top left corner is at a position in inches from that of the figure."""
    across, down = figure.get_size_inches()
    style = {"va": "top", "linespacing": LINE_SPACING, "color": TEXT_COLOR, **options}
    return figure.text(left / across, 1 - top / down, text, **style)


def legend_columns(labels: Sequence[str], width: float, size: float = SMALL_FONT_SIZE) -> int:
    """Return the number of columns of a legend that fit into a width, in inches."""
    entry = size / 72 * (_HANDLE_LENGTH + _HANDLE_GAP + _COLUMN_GAP)
    widest = max((text_width(label, size) for label in labels), default=0.0) + entry
    return max(1, min(len(labels), math.floor((width + size / 72 * _COLUMN_GAP) / widest)))


def legend_height(labels: Sequence[str], width: float, size: float = SMALL_FONT_SIZE) -> float:
    """Return the height of a legend of a width, both in inches."""
    rows = math.ceil(len(labels) / legend_columns(labels, width, size))
    highest = max((text_height(label, size) for label in labels), default=0.0)
    return rows * (_LEGEND_LINE * highest + _ROW_GAP * size / 72)


def label_width(width: float, size: float = SMALL_FONT_SIZE) -> float:
    """Return the width that a legend of a width leaves for a label, both in inches."""
    return width - size / 72 * (_HANDLE_LENGTH + _HANDLE_GAP)


def legend_options(labels: Sequence[str], width: float, size: float = SMALL_FONT_SIZE) -> dict[str, Any]:
    """Return the options of a legend without a frame, as large as `legend_height` returns."""
    return {
        "ncols": legend_columns(labels, width, size), "fontsize": size, "frameon": False, "borderpad": 0.0,
        "borderaxespad": 0.0, "handlelength": _HANDLE_LENGTH, "handletextpad": _HANDLE_GAP,
        "columnspacing": _COLUMN_GAP, "labelspacing": _ROW_GAP,
    }  # fmt: skip


def place_legend(
    figure: Figure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    *,
    left: float,
    top: float,
    width: float,
) -> None:
    """Add a legend at a position in inches from the top left corner, in as many columns as fit into the width."""
    across, down = figure.get_size_inches()
    figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(left / across, 1 - top / down),
        **legend_options(labels, width),
    )  # fmt: skip


def add_titles(panels: Mapping[Axes, str], *, width: float) -> float:
    """Write titles above panels of a width in inches, all at one height, and below each the legend of its lines.

    Returns
    -------
    float
        Height of the highest legend, in inches.
    """
    legends = {axes: axes.get_legend_handles_labels() for axes in panels}
    height = max((legend_height(labels, width) for _, labels in legends.values()), default=0.0)
    for axes, title in panels.items():
        handles, labels = legends[axes]
        if labels:
            options = legend_options(labels, width)
            axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.02), **options)
        axes.set_title(
            title, fontsize=NORMAL_FONT_SIZE, loc="left", color=TEXT_COLOR, linespacing=LINE_SPACING,
            pad=6 + 72 * height,
        )  # fmt: skip
    return height


def style_axes(axes: Axes, *, x_label: str = "", y_label: str = "", size: float = SMALL_FONT_SIZE) -> None:
    """Set the labels of a plot, with two thin spines and a light grid."""
    axes.set_xlabel(x_label, fontsize=size)
    axes.set_ylabel(y_label, fontsize=size)
    axes.tick_params(labelsize=size, length=2, width=0.5)
    axes.grid(color=GRID_COLOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


def style_unit_square(axes: Axes) -> None:
    """Style a panel as a unit square with two thin spines."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=SMALL_FONT_SIZE, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


def style_epoch_axis(axes: Axes, epochs: Sequence[int]) -> None:
    """Label the horizontal axis with integer epochs, however few there are."""
    first, last = min(epochs, default=1), max(epochs, default=1)
    margin = max(0.03 * (last - first), 0.5 if len(epochs) < MIN_EPOCHS_FOR_LINE else 0.2)
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(MAX_EPOCH_TICKS, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", fontsize=SMALL_FONT_SIZE)


def set_plain_ticks(axis: Axis, *, max_ticks: int = 5) -> None:
    """Label an axis with round numbers that are written out, without a power of ten or an offset at its end."""
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    axis.set_major_formatter(formatter)
    axis.set_major_locator(MaxNLocator(max_ticks, steps=[1, 2, 2.5, 5, 10]))


def save_figure(figure: Figure, file: Any, *, suffix: str, **options: Any) -> None:
    """Save a figure to a path or stream as png, pdf or svg; SVG files contain text, not outlines.

    Parameters
    ----------
    options
        As ``Figure.savefig``.
    """
    with figure_style(), rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format=suffix, **options)


def figure_text(figure: Figure) -> str:
    """Return all texts of a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def warn_about_missing_glyphs(text: str, files: str, *, stacklevel: int = 2) -> None:
    """Warn if files show characters as boxes because no installed font has them.

    Parameters
    ----------
    text
        All texts of the figures.
    files
        Kind of the files, such as ``PNG``, which do not contain their texts as text.
    stacklevel
        As ``warnings.warn``.
    """
    missing = missing_glyphs(text)
    if missing:
        shown = f"{missing[:20]}…" if len(missing) > 20 else missing
        warnings.warn(
            f"No installed font has the characters {shown}: the {files} files show boxes instead. Install a font such "
            "as Noto Sans CJK. SVG files and HTML pages contain the text.",
            stacklevel=stacklevel + 1,
        )
