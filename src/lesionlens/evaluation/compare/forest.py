"""Differences and their intervals below each other, a panel for each pair that is compared."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lesionlens.evaluation.compare.contrast import MetricComparison, ComparisonReport
from lesionlens.evaluation.compare.roc_panels import _MODEL_COLORS, _NORMAL_FONT, _SMALL_FONT
from lesionlens.evaluation.compare.wording import format_difference, format_metric, format_p_value
from lesionlens.evaluation.wording import METRIC_TITLES

_GRAY = "#8A8A8A"


def forest_plot(figure: Figure | SubFigure, report: ComparisonReport, *, one_class: bool) -> None:
    """Draw the pairs below each other on one scale; of one class its name is left to the figure."""
    pairs = report.group_by_pair()
    rows = [len(pair) + 2 for pair in pairs]
    panels = figure.subplots(len(pairs), 1, squeeze=False, sharex=True, height_ratios=rows)[:, 0]
    for axes, pair in zip(panels, pairs, strict=True):
        names = [METRIC_TITLES[each.metric] if one_class else format_metric(each) for each in pair]
        _forest_panel(axes, pair, names)
        _style_forest_axes(axes, pair)
    panels[-1].set_xlabel(
        f"difference, {100 * float(report.settings['confidence']):g} % interval", fontsize=_SMALL_FONT
    )
    bounds = [each for one in report.comparisons for each in one.interval_result[:3] if math.isfinite(each)]
    reach = 1.08 * (max(map(abs, bounds), default=0.0) or 0.01)
    panels[0].set_xlim(-reach, reach)


def _forest_panel(axes: Axes, comparisons: Sequence[MetricComparison], names: Sequence[str]) -> None:
    axes.axvline(0, color=_GRAY, linewidth=0.7)
    for row, each in enumerate(comparisons):
        said = each.interval_result
        # solid where the interval leaves zero out, hollow where it does not
        inside = "white" if said.low <= 0 <= said.high else _MODEL_COLORS[0]
        axes.plot([said.low, said.high], [row, row], color=_MODEL_COLORS[0], linewidth=1.2, solid_capstyle="butt")
        axes.plot(said.difference, row, "o", color=_MODEL_COLORS[0], markersize=4, markerfacecolor=inside)
        for text, right in ((format_difference(said), 4), (f"p {format_p_value(each.primary_test.p)}", 108)):
            axes.annotate(
                text,
                (1, row),
                xycoords=("axes fraction", "data"),
                xytext=(right, 0),
                textcoords="offset points",
                va="center",
                fontsize=_SMALL_FONT,
            )
    axes.set_yticks(np.arange(len(comparisons)), names, fontsize=_SMALL_FONT)
    axes.set_ylim(len(comparisons) - 0.4, -0.6)


def _style_forest_axes(axes: Axes, comparisons: Sequence[MetricComparison]) -> None:
    axes.set_title(
        f"{comparisons[0].first} − {comparisons[0].second}", fontsize=_NORMAL_FONT, fontweight="bold", loc="left", pad=15
    )
    for place, text, side in ((0, "← second better", "left"), (1, "first better →", "right")):
        axes.text(
            place, 1.01, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=_SMALL_FONT, color="dimgray"
        )
    axes.tick_params(axis="x", labelsize=_SMALL_FONT, length=2, width=0.5, labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)
