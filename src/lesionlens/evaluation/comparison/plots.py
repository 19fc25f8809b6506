"""Figure of a comparison of models on the same images: overlaid ROC curves, and a forest plot of the differences."""

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
from lesionlens.evaluation.formatting import (
    display_name,
    figure_label,
    format_difference,
    format_metric,
    format_p_value,
    format_value,
)
from lesionlens.evaluation.metrics import auc, downsample_curve, roc_curve, threshold_sweep
from lesionlens.evaluation.plots import (
    NORMAL_FONT,
    SMALL_FONT,
    plot_chance_line,
    plot_roc_curve,
    style_unit_square,
)
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS, OVERALL

# distinguishable with color vision deficiency and in black and white (Okabe and Ito 2008); more than seven models
# differ in their line styles
_MODEL_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MAX_COLUMNS = 3  # panels per row: the numbers above each need the space
_LINE_STYLES = ("solid", "dashed", "dotted")
_PAGE_INCHES, _ROW_INCHES, _PANEL_INCHES = 7.2, 0.2, 2.8
_ROW_SPACING = 0.06  # fraction of a row's height, to separate the numbers of a row from the row above
_ZERO_LINE_COLOR = "#8A8A8A"
_MODEL_CURVE = "model"  # group id of the ROC curves, which the legend lists


def select_roc_classes(report: ComparisonReport, models: Sequence[Predictions]) -> list[str]:
    """Return the classes that have images and whose AUC is compared."""
    if not models:
        return []
    scopes = dict.fromkeys(
        comparison.scope for comparison in report.comparisons if comparison.metric == "auc"
    )
    names = [scope for scope in scopes if isinstance(scope, str)]
    return [name for name in names if name in models[0].classes and (models[0].label == name).any()]


def roc_panels(
    figure: Figure | SubFigure,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    report: ComparisonReport,
) -> None:
    """Plot one panel per class; if there are two models, with their difference above it."""
    across = min(len(classes), _MAX_COLUMNS)
    for number, name in enumerate(classes, 1):
        axes = figure.add_subplot(math.ceil(len(classes) / _MAX_COLUMNS), across, number)
        plot_chance_line(axes, color="#C4C4C4")
        for index, (model, model_name) in enumerate(zip(models, names, strict=True)):
            _plot_model(axes, model, model_name, name, index)
        _style_roc_axes(axes, bottom=number + across > len(classes), left=number % across == 1 or across == 1)
        comparison = next(
            comparison
            for comparison in report.comparisons
            if (comparison.metric, comparison.scope) == ("auc", name)
        )
        subtitle = _difference_label(comparison) if len(models) == 2 else ""
        _set_roc_title(axes, figure_label(display_name(name)), subtitle)


def _plot_model(axes: Axes, model: Predictions, model_name: str, class_name: str, index: int) -> None:
    sweep = threshold_sweep(model.label == class_name, model.scores[:, model.classes.index(class_name)])
    plot_roc_curve(
        axes,
        *downsample_curve(*roc_curve(sweep)),
        color=_MODEL_COLORS[index % len(_MODEL_COLORS)],
        linestyle=_LINE_STYLES[index // len(_MODEL_COLORS) % len(_LINE_STYLES)],
        gid=_MODEL_CURVE,
        label=figure_label(f"{model_name} {format_value(float(auc(sweep)))}"),
    )


def _difference_label(comparison: MetricComparison) -> str:
    test = comparison.primary_test
    difference = format_difference(*comparison.interval_result[:3])
    return f"difference {difference}\np {format_p_value(test.p)} ({test.test})"


def _set_roc_title(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, fontsize=NORMAL_FONT, fontweight="bold", loc="left", pad=25 if subtitle else 6)
    axes.text(-0.01, 1.04, subtitle, va="bottom", fontsize=SMALL_FONT, linespacing=1.3)
    lines = [line for line in axes.get_lines() if line.get_gid() == _MODEL_CURVE]
    axes.legend(
        lines,
        [str(line.get_label()) for line in lines],  # explicit: matplotlib omits names such as _a otherwise
        title="AUC",
        title_fontsize=SMALL_FONT,
        fontsize=SMALL_FONT,
        loc="lower right",
        alignment="left",
        framealpha=0.8,
        edgecolor="none",
        handlelength=1.4,
        borderaxespad=0.1,
    )


def _style_roc_axes(axes: Axes, *, bottom: bool, left: bool) -> None:
    style_unit_square(axes)
    axes.set_xlabel("1 − specificity" if bottom else "", fontsize=SMALL_FONT)
    axes.set_ylabel("Sensitivity" if left else "", fontsize=SMALL_FONT)


def forest_plot(figure: Figure | SubFigure, report: ComparisonReport, *, one_class: bool) -> None:
    """Plot the differences of each pair in one panel, all on the same scale.

    With ``one_class`` the labels omit the name of the class, which the figure shows elsewhere.
    """
    pairs = report.group_by_pair()
    rows = [len(pair) + 2 for pair in pairs]
    panels = figure.subplots(len(pairs), 1, squeeze=False, sharex=True, height_ratios=rows)[:, 0]
    for axes, pair in zip(panels, pairs, strict=True):
        names = [
            METRICS[comparison.metric].title
            if one_class
            else format_metric(comparison.metric, comparison.scope)
            for comparison in pair
        ]
        _forest_panel(axes, pair, names)
        _style_forest_axes(axes, pair)
    panels[-1].set_xlabel(
        f"difference, {100 * float(report.settings['confidence']):g} % interval", fontsize=SMALL_FONT
    )
    bounds = [
        number
        for comparison in report.comparisons
        for number in comparison.interval_result[:3]
        if math.isfinite(number)
    ]
    reach = 1.08 * (max(map(abs, bounds), default=0.0) or 0.01)
    panels[0].set_xlim(-reach, reach)


def _forest_panel(axes: Axes, comparisons: Sequence[MetricComparison], names: Sequence[str]) -> None:
    axes.axvline(0, color=_ZERO_LINE_COLOR, linewidth=0.7)
    color = _MODEL_COLORS[0]
    for row, comparison in enumerate(comparisons):
        difference, low, high = comparison.interval_result[:3]
        axes.plot([low, high], [row, row], color=color, linewidth=1.2, solid_capstyle="butt")
        # filled if the interval excludes zero, hollow otherwise
        face = "white" if low <= 0 <= high else color
        axes.plot(difference, row, "o", color=color, markersize=4, markerfacecolor=face)
        p_label = f"p {format_p_value(comparison.primary_test.p)}"
        for text, offset in ((format_difference(difference, low, high), 4), (p_label, 108)):
            axes.annotate(
                text,
                (1, row),
                xycoords=("axes fraction", "data"),
                xytext=(offset, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL_FONT,
            )
    axes.set_yticks(np.arange(len(comparisons)), list(map(figure_label, names)), fontsize=SMALL_FONT)
    axes.set_ylim(len(comparisons) - 0.4, -0.6)


def _style_forest_axes(axes: Axes, comparisons: Sequence[MetricComparison]) -> None:
    axes.set_title(
        figure_label(f"{comparisons[0].first} − {comparisons[0].second}"),
        fontsize=NORMAL_FONT,
        fontweight="bold",
        loc="left",
        pad=15,
    )
    for x, text, side in ((0, "← second better", "left"), (1, "first better →", "right")):
        axes.text(
            x,
            1.01,
            text,
            transform=axes.transAxes,
            ha=side,
            va="bottom",
            fontsize=SMALL_FONT,
            color="dimgray",
        )
    axes.tick_params(axis="x", labelsize=SMALL_FONT, length=2, width=0.5, labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)


def comparison_figure(
    report: ComparisonReport, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> Figure:
    """Plot the ROC curves of each class whose AUC is compared, and the differences of each pair.

    Without ``models``, as for groups of runs, the figure has only the differences.
    """
    classes = select_roc_classes(report, models)
    forest_height = sum(_ROW_INCHES * len(pair) + 0.75 for pair in report.group_by_pair())
    if len(classes) == 1:
        figure = _figure_side_by_side(report, classes, models, names, forest_height)
    else:
        figure = _figure_stacked(report, classes, models, names, forest_height)
    # below the layout; saving with a tight bounding box includes it
    figure.text(0, 0, RESEARCH_USE_NOTICE, va="top", fontsize=SMALL_FONT, fontstyle="italic", color="dimgray")
    return figure


def _figure_side_by_side(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    one_class = len({comparison.scope for comparison in report.comparisons} - {OVERALL}) <= 1
    figure = Figure(figsize=(_PAGE_INCHES, max(forest_height, _PANEL_INCHES)), layout="constrained", dpi=200)
    left, right = figure.subfigures(1, 2, width_ratios=[1, 2], wspace=0.03, squeeze=False)[0]
    roc_panels(left, classes, models, names, report)
    forest_plot(right, report, one_class=one_class)
    return figure


def _figure_stacked(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    roc_height = math.ceil(len(classes) / _MAX_COLUMNS) * _PANEL_INCHES
    figure = Figure(
        figsize=(_PAGE_INCHES, roc_height + forest_height),
        layout=ConstrainedLayoutEngine(hspace=_ROW_SPACING),
        dpi=200,
    )
    if not classes:
        forest_plot(figure, report, one_class=False)
        return figure
    top, bottom = figure.subfigures(
        2, 1, height_ratios=[roc_height, forest_height], hspace=0.02, squeeze=False
    )[:, 0]
    roc_panels(top, classes, models, names, report)
    forest_plot(bottom, report, one_class=False)
    return figure


def write_comparison_figure(
    folder: Path | str,
    report: ComparisonReport,
    models: Sequence[Predictions] = (),
    names: Sequence[str] = (),
) -> list[Path]:
    """Write ``comparison.png`` and ``comparison.svg`` to a folder and return their paths."""
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"comparison.{suffix}"
        with atomic_write(path) as temporary:
            figure = comparison_figure(report, models, names)
            figure.savefig(temporary, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written
