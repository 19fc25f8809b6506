"""How figures look: fonts, colours and lines that are told apart by anyone and in black and white."""

from typing import Any

from matplotlib.axes import Axes

SMALL_FONT_SIZE, NORMAL_FONT_SIZE, TINY_FONT_SIZE = 7.0, 8.0, 5.5  # points: legible in a journal's column
TEXT_COLOR, MUTED_COLOR, GRID_COLOR = "0.15", "#8A8A8A", "#E6E6E6"

# Okabe and Ito 2008, without its yellow, which cannot be seen on white
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
LINE_MARKERS = "osD^vPX"


def line_style(number: int) -> dict[str, Any]:
    """Give colour and dashes of the n-th line: neighbours differ in both."""
    return {"color": LINE_COLORS[number % len(LINE_COLORS)], "linestyle": LINE_DASHES[number % len(LINE_DASHES)]}


def style_axes(axes: Axes, *, title: str = "", x_label: str = "", y_label: str = "") -> None:
    """Give a plot its words and two thin spines over a faint grid."""
    axes.set_title(title, fontsize=NORMAL_FONT_SIZE, loc="left", color=TEXT_COLOR, parse_math=False)
    axes.set_xlabel(x_label, fontsize=SMALL_FONT_SIZE, parse_math=False)
    axes.set_ylabel(y_label, fontsize=SMALL_FONT_SIZE, parse_math=False)
    axes.tick_params(labelsize=SMALL_FONT_SIZE, length=2, width=0.5)
    axes.yaxis.get_offset_text().set_fontsize(SMALL_FONT_SIZE)
    axes.grid(color=GRID_COLOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)
