"""The figure of a comparison: ROC curves of the models on each other, and the differences with their intervals."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lesionlens.core.fileio import atomic_write
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison
from lesionlens.evaluation.comparison.tables import (
    format_difference,
    format_metric,
    format_p_value,
    format_value,
)
from lesionlens.evaluation.compute import OVERALL
from lesionlens.evaluation.formatting import METRIC_TITLES, display_name
from lesionlens.evaluation.metrics import auc, downsample_curve, roc_curve, threshold_sweep
from lesionlens.evaluation.predictions import Predictions

# told apart by anyone and in black and white (Okabe and Ito 2008); beyond seven models dashes tell
_MODEL_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MAX_COLUMNS = 3  # panels in a row: the numbers above each need the room
_SMALL_FONT, _NORMAL_FONT = 7.0, 8.0  # points: legible in a journal's column
_LINE_STYLES = ("solid", "dashed", "dotted")


def select_roc_classes(report: ComparisonReport, models: Sequence[Predictions]) -> list[str]:
    """Give the classes whose AUC is compared and of which there are images."""
    if not models:
        return []
    asked = dict.fromkeys(each.scope for each in report.comparisons if each.metric == "auc")
    return [name for name in asked if name in models[0].classes and (models[0].label == name).any()]


def roc_panels(
    figure: Figure | SubFigure,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    report: ComparisonReport,
) -> None:
    """Draw a panel for each class; of two models with their difference above it."""
    across = min(len(classes), _MAX_COLUMNS)
    for number, name in enumerate(classes, 1):
        axes = figure.add_subplot(math.ceil(len(classes) / _MAX_COLUMNS), across, number)
        axes.plot([0, 1], [0, 1], color="#C4C4C4", linewidth=0.7, dashes=(4, 2))
        for index, (model, called) in enumerate(zip(models, names, strict=True)):
            _plot_roc_curve(axes, model, called, name, index)
        _style_roc_axes(axes, bottom=number + across > len(classes), left=number % across == 1 or across == 1)
        pair = next(each for each in report.comparisons if (each.metric, each.scope) == ("auc", name))
        _set_roc_title(axes, display_name(name), _difference_label(pair) if len(models) == 2 else "")


def _plot_roc_curve(axes: Axes, model: Predictions, model_name: str, class_name: str, index: int) -> None:
    swept = threshold_sweep(model.label == class_name, model.scores[:, model.classes.index(class_name)])
    axes.plot(
        *downsample_curve(*roc_curve(swept)),
        color=_MODEL_COLORS[index % len(_MODEL_COLORS)],
        linestyle=_LINE_STYLES[index // len(_MODEL_COLORS) % len(_LINE_STYLES)],
        linewidth=1.3,
        label=f"{model_name} {format_value(float(auc(swept)))}",
    )


def _difference_label(comparison: MetricComparison) -> str:
    test = comparison.primary_test
    return f"difference {format_difference(comparison.interval_result)}\np {format_p_value(test.p)} ({test.test})"


def _set_roc_title(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, fontsize=_NORMAL_FONT, fontweight="bold", loc="left", pad=25 if subtitle else 6)
    axes.text(-0.01, 1.04, subtitle, va="bottom", fontsize=_SMALL_FONT, linespacing=1.3)
    axes.legend(
        title="AUC",
        title_fontsize=_SMALL_FONT,
        fontsize=_SMALL_FONT,
        loc="lower right",
        alignment="left",
        framealpha=0.8,
        edgecolor="none",
        handlelength=1.4,
        borderaxespad=0.1,
    )


def _style_roc_axes(axes: Axes, *, bottom: bool, left: bool) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xlabel("1 − specificity" if bottom else "", fontsize=_SMALL_FONT)
    axes.set_ylabel("Sensitivity" if left else "", fontsize=_SMALL_FONT)
    axes.tick_params(labelsize=_SMALL_FONT, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


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
        axes.plot(
            [said.low, said.high], [row, row], color=_MODEL_COLORS[0], linewidth=1.2, solid_capstyle="butt"
        )
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
        f"{comparisons[0].first} − {comparisons[0].second}",
        fontsize=_NORMAL_FONT,
        fontweight="bold",
        loc="left",
        pad=15,
    )
    for place, text, side in ((0, "← second better", "left"), (1, "first better →", "right")):
        axes.text(
            place,
            1.01,
            text,
            transform=axes.transAxes,
            ha=side,
            va="bottom",
            fontsize=_SMALL_FONT,
            color="dimgray",
        )
    axes.tick_params(axis="x", labelsize=_SMALL_FONT, length=2, width=0.5, labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)


_PAGE_INCHES, _ROW_INCHES, _PANEL_INCHES = 7.2, 0.2, 2.8  # inches
_ROW_SPACING = 0.06  # of a row's height: a row's numbers stand off the row above


def comparison_figure(
    report: ComparisonReport, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> Figure:
    """Draw the ROC curves of each class whose AUC is compared, and a panel of differences for each pair.

    Without ``models``, as over runs, there are the differences alone.
    """
    classes = select_roc_classes(report, models)
    below = sum(_ROW_INCHES * len(pair) + 0.75 for pair in report.group_by_pair())
    if len(classes) == 1:
        figure = _figure_side_by_side(report, classes, models, names, below)
    else:
        figure = _figure_stacked(report, classes, models, names, below)
    # below all that is laid out; files are cut to what is drawn
    figure.text(
        0, 0, RESEARCH_USE_NOTICE, va="top", fontsize=_SMALL_FONT, fontstyle="italic", color="dimgray"
    )
    return figure


def _figure_side_by_side(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    one_class = len({each.scope for each in report.comparisons} - {OVERALL}) <= 1
    figure = Figure(figsize=(_PAGE_INCHES, max(forest_height, _PANEL_INCHES)), layout="constrained", dpi=200)
    parts = figure.subfigures(1, 2, width_ratios=[1, 2], wspace=0.03, squeeze=False)[0]
    roc_panels(parts[0], classes, models, names, report)
    forest_plot(parts[1], report, one_class=one_class)
    return figure


def _figure_stacked(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    above = math.ceil(len(classes) / _MAX_COLUMNS) * _PANEL_INCHES
    figure = Figure(
        figsize=(_PAGE_INCHES, above + forest_height),
        layout=ConstrainedLayoutEngine(hspace=_ROW_SPACING),
        dpi=200,
    )
    if not classes:
        forest_plot(figure, report, one_class=False)
        return figure
    parts = figure.subfigures(2, 1, height_ratios=[above, forest_height], hspace=0.02, squeeze=False)[:, 0]
    roc_panels(parts[0], classes, models, names, report)
    forest_plot(parts[1], report, one_class=False)
    return figure


def write_comparison_figure(
    folder: Path | str,
    report: ComparisonReport,
    models: Sequence[Predictions] = (),
    names: Sequence[str] = (),
) -> list[Path]:
    """Write ``comparison.png`` and ``comparison.svg``."""
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"comparison.{suffix}"
        with atomic_write(path) as part:
            figure = comparison_figure(report, models, names)
            figure.savefig(part, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written
