"""Figures of one evaluation: ROC and precision-recall curves with one panel per class, and the confusion matrix.

``comparison.plots`` overlays the ROC curves of several models on the same images, and ``reproduction.figures.roc``
those averaged over the runs of several rows. All three plot curves with ``plot_roc_curve`` and ``plot_chance_line``.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.fileio import atomic_write
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.formatting import (
    UNDEFINED_SYMBOL,
    display_name,
    figure_label,
    format_with_interval,
)
from lesionlens.evaluation.metrics import ClassCurves
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import EvaluationResult

# distinguishable with color vision deficiency and in black and white (Okabe and Ito 2008)
_ACCENT_COLOR, _REFERENCE_COLOR, _OTHER_CLASSES_COLOR = "#0072B2", "#D55E00", "#C4C4C4"
SMALL_FONT, NORMAL_FONT = 7.0, 8.0  # points: legible in a journal's column
_PANEL_INCHES = 1.9  # inches
_MAX_COLUMNS = 4
_INTERVAL_LABEL = "interval"
_LEGEND_LABELS = ("this class", _INTERVAL_LABEL, "other classes", "chance")


def roc_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the ROC curve of each class with its bootstrap band, and those of the other classes in gray."""

    def plot_class(axes: Axes, curves: ClassCurves, _: int) -> None:
        plot_chance_line(axes, color=_REFERENCE_COLOR, label="chance")
        band = ROCBand(curves.fpr_grid, curves.tpr_low, curves.tpr_high, label=_INTERVAL_LABEL)
        plot_roc_curve(axes, curves.fpr, curves.tpr, band=band, color=_ACCENT_COLOR, label="this class")

    def plot_other_class(axes: Axes, curves: ClassCurves) -> None:
        plot_roc_curve(
            axes, curves.fpr, curves.tpr, color=_OTHER_CLASSES_COLOR, linewidth=0.6, label="other classes"
        )

    return _class_panels(evaluation, "auc", plot_class, plot_other_class, ("1 − specificity", "Sensitivity"))


class ROCBand(NamedTuple):
    """Band around a ROC curve: lower and upper true positive rates (g,) at false positive rates (g,)."""

    fpr: Sequence[float] | FloatArray
    low: Sequence[float] | FloatArray
    high: Sequence[float] | FloatArray
    label: str | None = None
    alpha: float = 0.2


def plot_roc_curve(
    axes: Axes,
    fpr: Sequence[float] | FloatArray,
    tpr: Sequence[float] | FloatArray,
    *,
    color: str,
    band: ROCBand | None = None,
    linewidth: float = 1.3,
    **line_options: Any,
) -> None:
    """Plot a ROC curve over its band, if it has one."""
    if band is not None and len(band.fpr):
        axes.fill_between(
            band.fpr, band.low, band.high, color=color, alpha=band.alpha, linewidth=0, label=band.label
        )
    axes.plot(fpr, tpr, color=color, linewidth=linewidth, **line_options)


def plot_chance_line(axes: Axes, *, color: str, label: str | None = None) -> None:
    """Plot the ROC curve of chance, the diagonal."""
    axes.plot([0, 1], [0, 1], color=color, linewidth=0.7, dashes=(4, 2), label=label)


def precision_recall_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the precision-recall curve of each class and the precision of chance, its fraction of the images."""

    def plot_class(axes: Axes, curves: ClassCurves, k: int) -> None:
        prevalence = evaluation.support[k] / evaluation.n_images
        axes.axhline(prevalence, color=_REFERENCE_COLOR, linewidth=0.7, dashes=(4, 2), label="chance")
        axes.step(
            curves.recall,
            curves.precision,
            where="pre",
            color=_ACCENT_COLOR,
            linewidth=1.3,
            label="this class",
        )

    def plot_other_class(axes: Axes, curves: ClassCurves) -> None:
        axes.step(
            curves.recall,
            curves.precision,
            where="pre",
            color=_OTHER_CLASSES_COLOR,
            linewidth=0.6,
            label="other classes",
        )

    return _class_panels(
        evaluation, "average_precision", plot_class, plot_other_class, ("Sensitivity (recall)", "Precision")
    )


def _class_panels(
    evaluation: EvaluationResult,
    metric: str,
    plot_class: Callable[[Axes, ClassCurves, int], None],
    plot_other_class: Callable[[Axes, ClassCurves], None],
    axis_labels: tuple[str, str],
) -> Figure:
    k = len(evaluation.classes)
    across = min(k, _MAX_COLUMNS)
    down = math.ceil(k / across)
    size = (_PANEL_INCHES * across + 0.2, (_PANEL_INCHES + 0.5) * down + 0.25)
    figure = Figure(figsize=size, layout="constrained", dpi=200)
    for index, name in enumerate(evaluation.classes):
        axes = figure.add_subplot(down, across, index + 1)
        if name in evaluation.curves:
            for other in sorted(set(evaluation.curves) - {name}):
                plot_other_class(axes, evaluation.curves[other])
            plot_class(axes, evaluation.curves[name], index)
        style_unit_square(axes)
        _set_panel_title(axes, evaluation, metric, name)
        axes.set_xlabel(axis_labels[0] if index + across >= k else "", fontsize=SMALL_FONT)
        axes.set_ylabel(axis_labels[1] if index % across == 0 else "", fontsize=SMALL_FONT)
    _add_legend(figure, evaluation)
    return figure


def style_unit_square(axes: Axes) -> None:
    """Style a panel as a unit square with two thin spines."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=SMALL_FONT, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


def _set_panel_title(axes: Axes, evaluation: EvaluationResult, metric: str, class_name: str) -> None:
    """Set the class, its metric with interval, and its numbers of images and lesions as the title."""
    value = f"{METRICS[metric].short_title} {format_with_interval(evaluation.estimate(metric, class_name))}"
    if class_name not in evaluation.curves:
        value = evaluation.estimate("auc", class_name).caveat
    k = evaluation.classes.index(class_name)
    sizes = f"{evaluation.support[k]:,} images, {evaluation.lesion_support[k]:,} lesions"
    axes.set_title(
        figure_label(display_name(class_name)), fontsize=NORMAL_FONT, fontweight="bold", loc="left", pad=25
    )
    axes.text(-0.01, 1.04, f"{value}\n{sizes}", va="bottom", fontsize=SMALL_FONT, linespacing=1.3)


def _add_legend(figure: Figure, evaluation: EvaluationResult) -> None:
    """Add one legend for all panels below them."""
    handle_by_label: dict[str, Any] = {}
    for axes in figure.axes:
        handles, names = axes.get_legend_handles_labels()
        handle_by_label |= dict(zip(names, handles, strict=True))
    labels = [label for label in _LEGEND_LABELS if label in handle_by_label]
    interval = f"its {100 * evaluation.confidence:g} % interval over lesions"
    figure.legend(
        [handle_by_label[label] for label in labels],
        [interval if label == _INTERVAL_LABEL else label for label in labels],
        loc="outside lower center",
        ncols=2 if len(figure.axes) < _MAX_COLUMNS else 4,
        fontsize=SMALL_FONT,
        frameon=False,
        handlelength=1.8,
    )


def confusion_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the confusion matrix: color and percentage are fractions of the true class, with counts below."""
    counts = np.array(evaluation.confusion_matrix)
    totals = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    k = len(counts)
    side = max(2.2, 0.62 * k)
    figure = Figure(figsize=(side + 1.7, side + 1.3), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(k, k):
        _annotate_cell(
            axes, (row, column), int(counts[row, column]), fractions[row, column], empty=not totals[row, 0]
        )
    names = [figure_label(display_name(name)) for name in evaluation.classes]
    axes.set_xticks(range(k), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=SMALL_FONT)
    with_totals = [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0], strict=True)]
    axes.set_yticks(range(k), with_totals, fontsize=SMALL_FONT)
    by_threshold = k == len(evaluation.thresholds) + 1 == 2
    axes.set_xlabel(
        "Predicted class (threshold)" if by_threshold else "Predicted class (largest score)",
        fontsize=NORMAL_FONT,
    )
    axes.set_ylabel("True class (images)", fontsize=NORMAL_FONT)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure


FIGURES: dict[str, Callable[[EvaluationResult], Figure]] = {
    "roc": roc_figure,
    "precision_recall": precision_recall_figure,
    "confusion": confusion_figure,
}


def write_figures(folder: Path | str, evaluation: EvaluationResult, *, suffix: str = "png") -> list[Path]:
    """Write ``roc``, ``precision_recall`` and ``confusion`` to a folder, as png, pdf or svg, and return their paths."""
    written = []
    for name, make_figure in FIGURES.items():
        path = Path(folder) / f"{name}.{suffix}"
        with atomic_write(path) as temporary:
            make_figure(evaluation).savefig(temporary, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written


def _annotate_cell(axes: Axes, index: tuple[int, int], count: int, fraction: float, *, empty: bool) -> None:
    """Write the percentage and the count in a cell; a dash if the true class has no image."""
    if empty or not count:
        text, color = UNDEFINED_SYMBOL if empty else "0", "dimgray"
    else:
        text, color = f"{100 * fraction:.0f} %\n{count:,}", "white" if fraction > 0.55 else "black"
    axes.text(*index[::-1], text, ha="center", va="center", fontsize=SMALL_FONT, color=color, linespacing=1.2)
