"""Cost against size as a figure: time above, peak memory below, both axes logarithmic."""

from collections.abc import Callable, Sequence
from pathlib import Path

from curves import Curve
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

INK, GREY = "#0072B2", "#8A8A8A"
NORMAL, SMALL = 8.0, 7.0  # points: legible in print
PANEL = 1.9  # inches


def draw(curves: Sequence[Curve], file: Path) -> None:
    """Write the figure; the same curves give the same file."""
    figure = Figure(figsize=(PANEL * len(curves) + 0.3, 2 * PANEL + 0.5), layout="constrained", dpi=200)
    panels = figure.subplots(2, len(curves), sharex="col", sharey="row", squeeze=False)
    for curve, above, below in zip(curves, *panels, strict=True):
        proportional(above, curve)
        points(above, curve.sizes, curve.seconds, seconds_text, first=5, ticks=(1.0,))
        points(below, curve.sizes, curve.megabytes, memory_text, first=-11, ticks=(1.0, 2.0, 5.0))
        above.set_title(curve.name, fontsize=NORMAL, loc="left")
        below.set_xlabel(curve.size, fontsize=SMALL)
    panels[0, 0].set_ylabel("time", fontsize=SMALL)
    panels[1, 0].set_ylabel("peak memory", fontsize=SMALL)
    file.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def points(
    axes: Axes,
    sizes: Sequence[int],
    costs: Sequence[float],
    text: Callable[[float], str],
    *,
    first: float,
    ticks: Sequence[float],
) -> None:
    """Draw measured points, the first (so many points above) and the last with their values."""
    axes.plot(sizes, costs, color=INK, marker="o", markersize=3, linewidth=1.2)
    for place, up in ((0, first), (-1, 5)):
        at = (sizes[place], costs[place])
        axes.annotate(
            text(costs[place]), at, (0, up), textcoords="offset points", fontsize=SMALL, ha="center"
        )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes, [size_text(size) for size in sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(lambda cost, _: text(cost))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=SMALL)
    axes.margins(x=0.16, y=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def proportional(axes: Axes, curve: Curve) -> None:
    """Draw where the times would lie if they grew as the size does, from the largest backwards."""
    each = curve.seconds[-1] / curve.sizes[-1]
    middle = (curve.sizes[0] * curve.sizes[-1]) ** 0.5
    axes.plot(curve.sizes, [size * each for size in curve.sizes], color=GREY, linewidth=0.8, dashes=(4, 3))
    axes.annotate(
        "in proportion",
        (middle, each * middle),
        (3, -10),
        textcoords="offset points",
        fontsize=SMALL,
        color=GREY,
    )


def size_text(size: int) -> str:
    return f"{size / 1000:.0f}k" if size >= 1000 else str(size)


def seconds_text(seconds: float) -> str:
    return f"{short(seconds)} s" if seconds >= 1 else f"{short(1000 * seconds)} ms"


def memory_text(megabytes: float) -> str:
    return f"{megabytes / 1000:.2g} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
