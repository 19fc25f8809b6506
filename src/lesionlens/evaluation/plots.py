"""Figures of one evaluation: ROC and precision-recall curves with one panel per class, and the confusion matrix.

``comparison.plots`` overlays the ROC curves of several models on the same images, and ``reproduction.figures.roc``
those averaged over the runs of several rows. All plot curves with ``plot_roc_curve`` and ``plot_chance_line``.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionlens.core.figure_style import (
    BLUE,
    FIGURE_DPI,
    NORMAL_FONT_SIZE,
    ORANGE,
    SMALL_FONT_SIZE,
    figure_style,
    figure_text,
    place_axes,
    save_figure,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, display_name, format_with_interval
from lesionlens.evaluation.metrics import ClassCurves
from lesionlens.evaluation.panel_grid import PanelGrid, SquarePanel, draw_panels
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.score_plots import SCORE_FIGURES

_OTHER_CLASSES_COLOR = "#C4C4C4"
_INTERVAL_LABEL = "interval"
_LEGEND_LABELS = ("this class", _INTERVAL_LABEL, "other classes", "chance")
_MARGIN = 0.06  # inches, at the edges of a figure and between its parts
_MIN_CELL = 0.62  # inches: side of a cell of the confusion matrix
_MIN_MATRIX = 2.3  # inches: side of the confusion matrix
_MAX_LABEL_WIDTH = 1.5  # inches, of the names of its classes
_MAX_LABEL_LINES = 4
_LABEL_ANGLE = 40  # degrees, of names that are wider than a cell


@figure_style()
def roc_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the ROC curve of each class with its bootstrap band, and those of the other classes in gray."""

    def plot_class(axes: Axes, curves: ClassCurves, _: int) -> None:
        plot_chance_line(axes, color=ORANGE, label="chance")
        band = ROCBand(curves.fpr_grid, curves.tpr_low, curves.tpr_high, label=_INTERVAL_LABEL)
        plot_roc_curve(axes, curves.fpr, curves.tpr, band=band, color=BLUE, label="this class")

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


@figure_style()
def precision_recall_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the precision-recall curve of each class and the precision of chance, its fraction of the images."""

    def plot_class(axes: Axes, curves: ClassCurves, k: int) -> None:
        prevalence = evaluation.support[k] / evaluation.n_images
        axes.axhline(prevalence, color=ORANGE, linewidth=0.7, dashes=(4, 2), label="chance")
        axes.step(
            curves.recall,
            curves.precision,
            where="pre",
            color=BLUE,
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
    grid = PanelGrid([_describe_panel(evaluation, metric, name) for name in evaluation.classes], axis_labels)

    def plot(panels: list[Axes]) -> None:
        for index, (axes, name) in enumerate(zip(panels, evaluation.classes, strict=True)):
            if name in evaluation.curves:
                for other in sorted(set(evaluation.curves) - {name}):
                    plot_other_class(axes, evaluation.curves[other])
                plot_class(axes, evaluation.curves[name], index)

    return draw_panels(grid, plot, _legend_texts(evaluation))


def _describe_panel(evaluation: EvaluationResult, metric: str, class_name: str) -> SquarePanel:
    """Return the class as title; as text its metric with interval, and its numbers of images and lesions."""
    value = f"{METRICS[metric].short_title} {format_with_interval(evaluation.estimate(metric, class_name))}"
    if class_name not in evaluation.curves:
        value = evaluation.estimate("auc", class_name).caveat
    k = evaluation.classes.index(class_name)
    sizes = f"{evaluation.support[k]:,} images, {evaluation.lesion_support[k]:,} lesions"
    return SquarePanel(display_name(class_name), f"{value}\n{sizes}")


def _legend_texts(evaluation: EvaluationResult) -> dict[str, str]:
    """Return the text of each label in the legend below the panels."""
    interval = f"its {100 * evaluation.confidence:g} % interval over lesions"
    return {label: interval if label == _INTERVAL_LABEL else label for label in _LEGEND_LABELS}


class _MatrixLayout(NamedTuple):
    """Names of true and predicted classes, and sizes in inches: a cell, and the margins that the names need."""

    true_names: list[str]
    predicted_names: list[str]
    angle: int
    cell: float
    left: float
    bottom: float


@figure_style()
def confusion_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the confusion matrix: color and percentage are fractions of the true class, with counts below."""
    counts = np.array(evaluation.confusion_matrix)
    layout = _lay_out_matrix([display_name(name) for name in evaluation.classes], counts)
    side = layout.cell * len(counts)
    size = (layout.left + side + 2 * _MARGIN, side + layout.bottom + _MARGIN)
    figure = Figure(figsize=size, dpi=FIGURE_DPI)
    axes = place_axes(figure, left=layout.left, top=_MARGIN, width=side, height=side)
    totals = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for index in np.ndindex(counts.shape):
        _annotate_cell(axes, index, int(counts[index]), fractions[index], empty=not totals[index[0], 0])
    _name_classes(axes, layout)
    label_height = text_height("", NORMAL_FONT_SIZE) + _MARGIN
    by_threshold = len(counts) == len(evaluation.thresholds) + 1 == 2
    axes.set_xlabel(
        f"Predicted class ({'threshold' if by_threshold else 'largest score'})", fontsize=NORMAL_FONT_SIZE
    )
    axes.xaxis.set_label_coords(0.5, (label_height - layout.bottom) / side)
    axes.set_ylabel("True class (images)", fontsize=NORMAL_FONT_SIZE)
    axes.yaxis.set_label_coords((label_height - layout.left) / side, 0.5)
    return figure


def _lay_out_matrix(names: list[str], counts: NDArray[np.int64]) -> _MatrixLayout:
    k = len(names)
    widest_count = text_width(f"{counts.max():,}", SMALL_FONT_SIZE)
    cell = max(_MIN_CELL, _MIN_MATRIX / k, widest_count + 2 * _MARGIN)
    with_totals = [f"{name} ({total:,})" for name, total in zip(names, counts.sum(axis=1), strict=True)]
    true_names = [
        wrap_text(name, _MAX_LABEL_WIDTH, SMALL_FONT_SIZE, max_lines=_MAX_LABEL_LINES) for name in with_totals
    ]
    predicted_names = [wrap_text(name, cell - _MARGIN, SMALL_FONT_SIZE) for name in names]
    angle = 0 if all(map(_is_readable, names, predicted_names)) else _LABEL_ANGLE
    if angle:
        predicted_names = [wrap_text(name, _MAX_LABEL_WIDTH, SMALL_FONT_SIZE, max_lines=3) for name in names]
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    sizes = [
        (text_width(name, SMALL_FONT_SIZE), text_height(name, SMALL_FONT_SIZE)) for name in predicted_names
    ]
    below = max(across * sine + down * cosine for across, down in sizes)
    beyond = max(across * cosine - (column + 0.5) * cell for column, (across, _) in enumerate(sizes))
    axis_label = text_height("", NORMAL_FONT_SIZE) + 3 * _MARGIN
    left = max(text_width("\n".join(true_names), SMALL_FONT_SIZE) + axis_label, beyond if angle else 0.0)
    return _MatrixLayout(true_names, predicted_names, angle, cell, left, below + axis_label)


def _is_readable(name: str, wrapped: str) -> bool:
    """Return whether a wrapped name has few lines and no broken word."""
    return wrapped.count("\n") < _MAX_LABEL_LINES and wrapped.split() == name.split()


def _name_classes(axes: Axes, layout: _MatrixLayout) -> None:
    """Write the names of the classes, and white lines between the cells."""
    style: dict[str, Any] = {"fontsize": SMALL_FONT_SIZE, "linespacing": LINE_SPACING}
    turned: dict[str, Any] = {"rotation": layout.angle, "ha": "right", "rotation_mode": "anchor"}
    k = len(layout.true_names)
    axes.set_xticks(range(k), layout.predicted_names, va="top", **style, **(turned if layout.angle else {}))
    axes.set_yticks(range(k), layout.true_names, **style)
    axes.tick_params(length=0, pad=72 * _MARGIN)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


FIGURES: dict[str, Callable[[EvaluationResult], Figure]] = {
    "roc": roc_figure,
    "precision_recall": precision_recall_figure,
    "confusion": confusion_figure,
}


def write_figures(
    folder: Path | str, evaluation: EvaluationResult, *, suffixes: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write every figure of `FIGURES` and `SCORE_FIGURES` to a folder, as png, svg or pdf, and return their paths.

    Warns
    -----
    UserWarning
        Characters are in no installed font, so that png and pdf files show boxes instead.
    """
    figures = {name: make_figure(evaluation) for name, make_figure in (FIGURES | SCORE_FIGURES).items()}
    written = []
    for name, suffix in product(figures, suffixes):
        path = Path(folder) / f"{name}.{suffix}"
        with atomic_write(path) as temporary:
            save_figure(figures[name], temporary, suffix=suffix)
        written.append(path)
    boxes = " and ".join(suffix.upper() for suffix in suffixes if suffix != "svg")
    if boxes:
        warn_about_missing_glyphs("".join(map(figure_text, figures.values())), boxes)
    return written


def _annotate_cell(axes: Axes, index: tuple[int, int], count: int, fraction: float, *, empty: bool) -> None:
    """Write the percentage and the count in a cell; a dash if the true class has no image."""
    if empty or not count:
        text, color = UNDEFINED_SYMBOL if empty else "0", "dimgray"
    else:
        text, color = f"{100 * fraction:.0f} %\n{count:,}", "white" if fraction > 0.55 else "black"
    axes.text(
        *index[::-1],
        text,
        ha="center",
        va="center",
        fontsize=SMALL_FONT_SIZE,
        color=color,
        linespacing=LINE_SPACING,
    )
