"""ROC and precision-recall figures: one small panel for each class, so that no curve hides another."""

import math
from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.evaluation.curves import Curves
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.wording import readable, with_interval

# two colours and grey, told apart by anyone and in black and white (Okabe and Ito 2008)
_ACCENT, _REFERENCE, _OTHERS = "#0072B2", "#D55E00", "#C4C4C4"
_SMALL, _NORMAL = 7.0, 8.0  # points: legible in a journal's column
_PANEL = 1.9  # inches
_ACROSS = 4
_SHORT = {"auc": "AUC", "average_precision": "AP"}
_INTERVAL = "interval"
_LEGEND = ("this class", _INTERVAL, "other classes", "chance")


def roc_figure(evaluation: Evaluation) -> Figure:
    """Draw the ROC curve of each class with its bootstrap band, those of the other classes in grey."""

    def draw(axes: Axes, c: Curves, _: int) -> None:
        axes.plot([0, 1], [0, 1], color=_REFERENCE, linewidth=0.7, dashes=(4, 2), label="chance")
        if c.grid:
            axes.fill_between(c.grid, c.low, c.high, color=_ACCENT, alpha=0.2, linewidth=0, label=_INTERVAL)
        axes.plot(c.fpr, c.tpr, color=_ACCENT, linewidth=1.3, label="this class")

    def others(axes: Axes, c: Curves) -> None:
        axes.plot(c.fpr, c.tpr, color=_OTHERS, linewidth=0.6, label="other classes")

    return _panels(evaluation, "auc", draw, others, ("1 − specificity", "Sensitivity"))


def precision_recall_figure(evaluation: Evaluation) -> Figure:
    """Draw the precision-recall curve of each class over the precision of chance, its share of the images."""

    def draw(axes: Axes, c: Curves, k: int) -> None:
        share = evaluation.support[k] / evaluation.images
        axes.axhline(share, color=_REFERENCE, linewidth=0.7, dashes=(4, 2), label="chance")
        axes.step(c.recall, c.precision, where="pre", color=_ACCENT, linewidth=1.3, label="this class")

    def others(axes: Axes, c: Curves) -> None:
        axes.step(c.recall, c.precision, where="pre", color=_OTHERS, linewidth=0.6, label="other classes")

    return _panels(evaluation, "average_precision", draw, others, ("Sensitivity (recall)", "Precision"))


def _panels(
    evaluation: Evaluation,
    metric: str,
    draw: Callable[[Axes, Curves, int], None],
    others: Callable[[Axes, Curves], None],
    labels: tuple[str, str],
) -> Figure:
    k = len(evaluation.classes)
    across = min(k, _ACROSS)
    down = math.ceil(k / across)
    size = (_PANEL * across + 0.2, (_PANEL + 0.5) * down + 0.25)
    figure = Figure(figsize=size, layout="constrained", dpi=200)
    for index, name in enumerate(evaluation.classes):
        axes = figure.add_subplot(down, across, index + 1)
        if name in evaluation.curves:
            for other in sorted(set(evaluation.curves) - {name}):
                others(axes, evaluation.curves[other])
            draw(axes, evaluation.curves[name], index)
        _dress(axes)
        _title(axes, evaluation, metric, name)
        axes.set_xlabel(labels[0] if index + across >= k else "", fontsize=_SMALL)
        axes.set_ylabel(labels[1] if index % across == 0 else "", fontsize=_SMALL)
    _legend(figure, evaluation)
    return figure


def _dress(axes: Axes) -> None:
    """Give a panel its frame: a unit square with two thin spines."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=_SMALL, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


def _title(axes: Axes, evaluation: Evaluation, metric: str, name: str) -> None:
    """Write the class, its number with interval, and from how many images and lesions it comes."""
    number = f"{_SHORT[metric]} {with_interval(evaluation.estimate(metric, name))}"
    if name not in evaluation.curves:
        number = evaluation.estimate("auc", name).note
    k = evaluation.classes.index(name)
    sizes = f"{evaluation.support[k]:,} images, {evaluation.lesion_support[k]:,} lesions"
    axes.set_title(readable(name), fontsize=_NORMAL, fontweight="bold", loc="left", pad=25)
    axes.text(-0.01, 1.04, f"{number}\n{sizes}", va="bottom", fontsize=_SMALL, linespacing=1.3)


def _legend(figure: Figure, evaluation: Evaluation) -> None:
    """Say once, below all panels, what each line is."""
    said: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        said |= dict(zip(labels, handles, strict=True))
    interval = f"its {100 * evaluation.confidence:g} % interval over lesions"
    figure.legend(
        [said[label] for label in _LEGEND if label in said],
        [interval if label == _INTERVAL else label for label in _LEGEND if label in said],
        loc="outside lower center",
        ncols=2 if len(figure.axes) < _ACROSS else 4,
        fontsize=_SMALL,
        frameon=False,
        handlelength=1.8,
    )
