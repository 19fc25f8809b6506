"""The ROC curves of several models on each other, a small panel for each class."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lesionlens.evaluation.compare.contrast import Contrast, Contrasts
from lesionlens.evaluation.compare.wording import difference, probability, value
from lesionlens.evaluation.curves import roc, thin
from lesionlens.evaluation.metrics import auc
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import sweep
from lesionlens.evaluation.wording import readable

# told apart by anyone and in black and white (Okabe and Ito 2008); beyond seven models dashes tell
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
ACROSS = 3  # panels in a row: the numbers above each need the room
SMALL, NORMAL = 7.0, 8.0  # points: legible in a journal's column
_DASHES = ("solid", "dashed", "dotted")


def compared_classes(found: Contrasts, models: Sequence[Predictions]) -> list[str]:
    """Give the classes whose AUC is compared and of which there are images."""
    if not models:
        return []
    asked = dict.fromkeys(each.of for each in found.contrasts if each.metric == "auc")
    return [name for name in asked if name in models[0].classes and (models[0].label == name).any()]


def roc_panels(
    place: Figure | SubFigure,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    found: Contrasts,
) -> None:
    """Draw a panel for each class; of two models with their difference above it."""
    across = min(len(classes), ACROSS)
    for number, name in enumerate(classes, 1):
        axes = place.add_subplot(math.ceil(len(classes) / ACROSS), across, number)
        axes.plot([0, 1], [0, 1], color="#C4C4C4", linewidth=0.7, dashes=(4, 2))
        for index, (model, called) in enumerate(zip(models, names, strict=True)):
            _curve(axes, model, called, name, index)
        _dress(axes, bottom=number + across > len(classes), left=number % across == 1 or across == 1)
        pair = next(each for each in found.contrasts if (each.metric, each.of) == ("auc", name))
        _title(axes, readable(name), _said(pair) if len(models) == 2 else "")


def _curve(axes: Axes, model: Predictions, called: str, name: str, index: int) -> None:
    swept = sweep(model.label == name, model.scores[:, model.classes.index(name)])
    axes.plot(
        *thin(*roc(swept)),
        color=COLOURS[index % len(COLOURS)],
        linestyle=_DASHES[index // len(COLOURS) % len(_DASHES)],
        linewidth=1.3,
        label=f"{called} {value(float(auc(swept)))}",
    )


def _said(pair: Contrast) -> str:
    return f"difference {difference(pair.interval)}\np {probability(pair.judged.p)} ({pair.judged.test})"


def _title(axes: Axes, title: str, said: str) -> None:
    axes.set_title(title, fontsize=NORMAL, fontweight="bold", loc="left", pad=25 if said else 6)
    axes.text(-0.01, 1.04, said, va="bottom", fontsize=SMALL, linespacing=1.3)
    axes.legend(
        title="AUC",
        title_fontsize=SMALL,
        fontsize=SMALL,
        loc="lower right",
        alignment="left",
        framealpha=0.8,
        edgecolor="none",
        handlelength=1.4,
        borderaxespad=0.1,
    )


def _dress(axes: Axes, *, bottom: bool, left: bool) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xlabel("1 − specificity" if bottom else "", fontsize=SMALL)
    axes.set_ylabel("Sensitivity" if left else "", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)
