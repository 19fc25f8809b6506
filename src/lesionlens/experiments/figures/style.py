"""How figures look: fonts, colours and lines that are told apart by anyone and in black and white."""

from typing import Any

from matplotlib.axes import Axes

SMALL, NORMAL, TINY = 7.0, 8.0, 5.5  # points: legible in a journal's column
INK, GREY, FAINT = "0.15", "#8A8A8A", "#E6E6E6"

# Okabe and Ito 2008, without its yellow, which cannot be seen on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
MARKERS = "osD^vPX"


def line(number: int) -> dict[str, Any]:
    """Give colour and dashes of the n-th line: neighbours differ in both."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def dress(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Give a plot its words and two thin spines over a faint grid."""
    axes.set_title(title, fontsize=NORMAL, loc="left", color=INK, parse_math=False)
    axes.set_xlabel(x, fontsize=SMALL, parse_math=False)
    axes.set_ylabel(y, fontsize=SMALL, parse_math=False)
    axes.tick_params(labelsize=SMALL, length=2, width=0.5)
    axes.yaxis.get_offset_text().set_fontsize(SMALL)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)
