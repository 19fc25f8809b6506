"""Figures of an evaluation for print; pyplot's state is never touched, so this works in any thread."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.atomic import replacing
from lesionlens.evaluation.curve_panels import precision_recall_figure, roc_figure
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.wording import UNDEFINED, readable

_SMALL, _NORMAL = 7.0, 8.0  # points: legible in a journal's column


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix: colour and percentage are shares of the true class, with counts below."""
    counts = np.array(evaluation.confusion)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    k = len(counts)
    side = max(2.2, 0.62 * k)
    figure = Figure(figsize=(side + 1.7, side + 1.3), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(k, k):
        _cell(axes, (row, column), int(counts[row, column]), share[row, column], empty=not totals[row, 0])
    names = [readable(name) for name in evaluation.classes]
    axes.set_xticks(range(k), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=_SMALL)
    sized = [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0], strict=True)]
    axes.set_yticks(range(k), sized, fontsize=_SMALL)
    by_threshold = k == len(evaluation.thresholds) + 1 == 2
    axes.set_xlabel(
        "Class by the threshold" if by_threshold else "Class with the largest score", fontsize=_NORMAL
    )
    axes.set_ylabel("True class (images)", fontsize=_NORMAL)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure


FIGURES: dict[str, Callable[[Evaluation], Figure]] = {
    "roc": roc_figure,
    "precision_recall": precision_recall_figure,
    "confusion": confusion_figure,
}


def write_figures(folder: Path | str, evaluation: Evaluation, *, suffix: str = "png") -> list[Path]:
    """Write ``roc``, ``precision_recall`` and ``confusion`` into a folder, as png, pdf or svg."""
    written = []
    for name, make in FIGURES.items():
        path = Path(folder) / f"{name}.{suffix}"
        with replacing(path) as part:
            make(evaluation).savefig(part, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written


def _cell(axes: Axes, place: tuple[int, int], count: int, share: float, *, empty: bool) -> None:
    """Write the percentage and the count into a cell; a dash where the true class has no image."""
    if empty or not count:
        text, color = UNDEFINED if empty else "0", "dimgray"
    else:
        text, color = f"{100 * share:.0f} %\n{count:,}", "white" if share > 0.55 else "black"
    axes.text(*place[::-1], text, ha="center", va="center", fontsize=_SMALL, color=color, linespacing=1.2)
