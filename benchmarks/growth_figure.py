"""Cost against size as a figure: time above, peak memory below, both axes logarithmic."""

from collections.abc import Callable, Sequence
from pathlib import Path

from curves import Curve
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

LINE_COLOR, GUIDE_COLOR = "#0072B2", "#8A8A8A"
TITLE_FONT_SIZE, LABEL_FONT_SIZE = 8.0, 7.0  # points: legible in print
PANEL_INCHES = 1.9  # inches


def draw_scaling_figure(curves: Sequence[Curve], file: Path) -> None:
    """Write the figure; the same curves give the same file."""
    figure = Figure(
        figsize=(PANEL_INCHES * len(curves) + 0.3, 2 * PANEL_INCHES + 0.5), layout="constrained", dpi=200
    )
    panels = figure.subplots(2, len(curves), sharex="col", sharey="row", squeeze=False)
    for curve, above, below in zip(curves, *panels, strict=True):
        draw_proportional_guide(above, curve)
        draw_points(above, curve.sizes, curve.seconds, format_seconds, first_offset=5, ticks=(1.0,))
        draw_points(
            below, curve.sizes, curve.megabytes, format_megabytes, first_offset=-11, ticks=(1.0, 2.0, 5.0)
        )
        above.set_title(curve.name, fontsize=TITLE_FONT_SIZE, loc="left")
        below.set_xlabel(curve.size, fontsize=LABEL_FONT_SIZE)
    panels[0, 0].set_ylabel("time", fontsize=LABEL_FONT_SIZE)
    panels[1, 0].set_ylabel("peak memory", fontsize=LABEL_FONT_SIZE)
    file.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def draw_points(
    axes: Axes,
    sizes: Sequence[int],
    costs: Sequence[float],
    format_cost: Callable[[float], str],
    *,
    first_offset: float,
    ticks: Sequence[float],
) -> None:
    """Draw measured points, the first (so many points above) and the last with their values."""
    axes.plot(sizes, costs, color=LINE_COLOR, marker="o", markersize=3, linewidth=1.2)
    for place, up in ((0, first_offset), (-1, 5)):
        at = (sizes[place], costs[place])
        axes.annotate(
            format_cost(costs[place]),
            at,
            (0, up),
            textcoords="offset points",
            fontsize=LABEL_FONT_SIZE,
            ha="center",
        )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes, [format_size(size) for size in sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(lambda cost, _: format_cost(cost))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=LABEL_FONT_SIZE)
    axes.margins(x=0.16, y=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def draw_proportional_guide(axes: Axes, curve: Curve) -> None:
    """Draw where the times would lie if they grew as the size does, from the largest backwards."""
    each = curve.seconds[-1] / curve.sizes[-1]
    middle = (curve.sizes[0] * curve.sizes[-1]) ** 0.5
    axes.plot(
        curve.sizes, [size * each for size in curve.sizes], color=GUIDE_COLOR, linewidth=0.8, dashes=(4, 3)
    )
    axes.annotate(
        "in proportion",
        (middle, each * middle),
        (3, -10),
        textcoords="offset points",
        fontsize=LABEL_FONT_SIZE,
        color=GUIDE_COLOR,
    )


def format_size(size: int) -> str:
    return f"{size / 1000:.0f}k" if size >= 1000 else str(size)


def format_seconds(seconds: float) -> str:
    return f"{format_short(seconds)} s" if seconds >= 1 else f"{format_short(1000 * seconds)} ms"


def format_megabytes(megabytes: float) -> str:
    return f"{megabytes / 1000:.2g} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def format_short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
