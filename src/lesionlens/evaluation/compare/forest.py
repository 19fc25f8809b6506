"""Differences and their intervals below each other, a panel for each pair that is compared."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lesionlens.evaluation.compare.contrast import Contrast, Contrasts
from lesionlens.evaluation.compare.roc_panels import COLOURS, NORMAL, SMALL
from lesionlens.evaluation.compare.wording import difference, name_of, probability
from lesionlens.evaluation.wording import TITLES

_GREY = "#8A8A8A"


def forest(place: Figure | SubFigure, found: Contrasts, *, one_class: bool) -> None:
    """Draw the pairs below each other on one scale; of one class its name is left to the figure."""
    pairs = found.pairs()
    rows = [len(pair) + 2 for pair in pairs]
    panels = place.subplots(len(pairs), 1, squeeze=False, sharex=True, height_ratios=rows)[:, 0]
    for axes, pair in zip(panels, pairs, strict=True):
        names = [TITLES[each.metric] if one_class else name_of(each) for each in pair]
        _panel(axes, pair, names)
        _dress(axes, pair)
    panels[-1].set_xlabel(
        f"difference, {100 * float(found.settings['confidence']):g} % interval", fontsize=SMALL
    )
    bounds = [each for one in found.contrasts for each in one.interval[:3] if math.isfinite(each)]
    reach = 1.08 * (max(map(abs, bounds), default=0.0) or 0.01)
    panels[0].set_xlim(-reach, reach)


def _panel(axes: Axes, pair: Sequence[Contrast], names: Sequence[str]) -> None:
    axes.axvline(0, color=_GREY, linewidth=0.7)
    for row, each in enumerate(pair):
        said = each.interval
        # solid where the interval leaves zero out, hollow where it does not
        inside = "white" if said.low <= 0 <= said.high else COLOURS[0]
        axes.plot([said.low, said.high], [row, row], color=COLOURS[0], linewidth=1.2, solid_capstyle="butt")
        axes.plot(said.difference, row, "o", color=COLOURS[0], markersize=4, markerfacecolor=inside)
        for text, right in ((difference(said), 4), (f"p {probability(each.judged.p)}", 108)):
            axes.annotate(
                text,
                (1, row),
                xycoords=("axes fraction", "data"),
                xytext=(right, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
            )
    axes.set_yticks(np.arange(len(pair)), names, fontsize=SMALL)
    axes.set_ylim(len(pair) - 0.4, -0.6)


def _dress(axes: Axes, pair: Sequence[Contrast]) -> None:
    axes.set_title(
        f"{pair[0].first} − {pair[0].second}", fontsize=NORMAL, fontweight="bold", loc="left", pad=15
    )
    for place, text, side in ((0, "← second better", "left"), (1, "first better →", "right")):
        axes.text(
            place, 1.01, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=SMALL, color="dimgray"
        )
    axes.tick_params(axis="x", labelsize=SMALL, length=2, width=0.5, labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)
