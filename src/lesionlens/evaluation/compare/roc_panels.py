"""The ROC curves of several models on each other, a small panel for each class."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lesionlens.evaluation.compare.contrast import MetricComparison, ComparisonReport
from lesionlens.evaluation.compare.wording import format_difference, format_p_value, format_value
from lesionlens.evaluation.curves import roc_curve, downsample_curve
from lesionlens.evaluation.metrics import auc
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import threshold_sweep
from lesionlens.evaluation.wording import display_name

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
    return f"difference {format_difference(comparison.interval_result)}\np {format_p_value(comparison.primary_test.p)} ({comparison.primary_test.test})"


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
