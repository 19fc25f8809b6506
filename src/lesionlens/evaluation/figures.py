"""Figures of an evaluation for print; pyplot's state is never touched, so this works in any thread."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.atomic import atomic_write
from lesionlens.evaluation.curve_panels import precision_recall_figure, roc_figure
from lesionlens.evaluation.evaluation import EvaluationResult
from lesionlens.evaluation.wording import UNDEFINED_SYMBOL, display_name

_SMALL_FONT, _NORMAL_FONT = 7.0, 8.0  # points: legible in a journal's column


def confusion_figure(evaluation: EvaluationResult) -> Figure:
    """Draw the confusion matrix: colour and percentage are shares of the true class, with counts below."""
    counts = np.array(evaluation.confusion_matrix)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    k = len(counts)
    side = max(2.2, 0.62 * k)
    figure = Figure(figsize=(side + 1.7, side + 1.3), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(k, k):
        _annotate_cell(axes, (row, column), int(counts[row, column]), share[row, column], empty=not totals[row, 0])
    names = [display_name(name) for name in evaluation.classes]
    axes.set_xticks(range(k), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=_SMALL_FONT)
    sized = [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0], strict=True)]
    axes.set_yticks(range(k), sized, fontsize=_SMALL_FONT)
    by_threshold = k == len(evaluation.thresholds) + 1 == 2
    axes.set_xlabel(
        "Class by the threshold" if by_threshold else "Class with the largest score", fontsize=_NORMAL_FONT
    )
    axes.set_ylabel("True class (images)", fontsize=_NORMAL_FONT)
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
    """Write ``roc``, ``precision_recall`` and ``confusion`` into a folder, as png, pdf or svg."""
    written = []
    for name, make in FIGURES.items():
        path = Path(folder) / f"{name}.{suffix}"
        with atomic_write(path) as part:
            make(evaluation).savefig(part, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written


def _annotate_cell(axes: Axes, index: tuple[int, int], count: int, fraction: float, *, empty: bool) -> None:
    """Write the percentage and the count into a cell; a dash where the true class has no image."""
    if empty or not count:
        text, color = UNDEFINED_SYMBOL if empty else "0", "dimgray"
    else:
        text, color = f"{100 * fraction:.0f} %\n{count:,}", "white" if fraction > 0.55 else "black"
    axes.text(*index[::-1], text, ha="center", va="center", fontsize=_SMALL_FONT, color=color, linespacing=1.2)
