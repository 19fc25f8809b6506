"""ROC curves of several models on one axes (Yan 2020, Fig. 3.2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.errors import PredictionsError, unknown
from lesionlens.evaluation.curves import GRID, Points
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.sweep import Floats
from lesionlens.evaluation.wording import UNDEFINED, readable, with_interval
from lesionlens.experiments.figures.runs import Backed, backed, evaluations
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.figures.style import GREY, SMALL, TINY, dress, line
from lesionlens.experiments.results import Results
from lesionlens.training.over_runs import of_shares

SIDE = 3.1  # inches
FEW = 3  # curves on one axes whose bands can still be told apart
SAID = (
    "A model's line is the mean of its runs at each false positive rate. In brackets the 95 % interval of the AUC: of "
    "the mean over runs where there are three or more, over lesions where there is one."
)
BANDS = "Bands: from the lowest to the highest run; of a single run the pointwise 95 % interval over lesions."


class Curve(NamedTuple):
    """A curve, (p,) each, the band around it, (g,) each, and the AUC in words."""

    fpr: Points | Floats
    tpr: Points | Floats
    grid: Points | Floats
    low: Points | Floats
    high: Points | Floats
    auc: str


def roc(results: Results) -> Sketch | None:
    """Draw the ROC curves of all panels, an axes for each part of the rows.

    Raises
    ------
    PredictionsError
        A run has no class of the name that the figure asks for.
    """
    found, notes = backed(results)
    said = results.experiment.figure
    if not found or said is None:
        return None
    parts: dict[str, list[Backed]] = {}
    for each in found:
        parts.setdefault(each.panel.part, []).append(each)
    banded = max(map(len, parts.values())) <= FEW
    figure = Figure(figsize=(SIDE * len(parts), SIDE + 0.25), layout="constrained")
    for axes, (part, panels) in zip(
        figure.subplots(1, len(parts), squeeze=False).flat, parts.items(), strict=True
    ):
        _dress(axes, ", ".join(filter(None, (part, readable(_sought(panels[0], said.of))))))
        for number, each in enumerate(panels):
            curve = mean_curve(evaluations(each.cells), _sought(each, said.of))
            _draw(axes, curve, f"{each.title}  {curve.auc}", number, banded=banded)
        axes.legend(fontsize=TINY + 0.5, framealpha=0.85, edgecolor="none", loc="lower right", handlelength=2.4,
                    title="model, AUC", title_fontsize=SMALL, alignment="left")  # fmt: skip
    words = (said.caption, SAID, BANDS if banded else "")
    return Sketch(figure, " ".join(filter(None, words)), notes)


def mean_curve(runs: Sequence[Evaluation], of: str) -> Curve:
    """Give the ROC curve of a class over runs: of one its own, of several the mean at each false positive rate."""
    known = [run for run in runs if of in run.curves]
    if not known:
        return Curve((), (), (), (), (), UNDEFINED)
    if len(known) == 1:
        one = known[0].curves[of]
        return Curve(
            one.fpr, one.tpr, one.grid, one.low, one.high, with_interval(known[0].estimate("auc", of))
        )
    rates = np.array([np.interp(GRID, run.curves[of].fpr, run.curves[of].tpr) for run in known])
    over = of_shares([run.value("auc", of) for run in known])
    auc = f"{over.mean:.3f}" + ("" if np.isnan(over.low) else f" ({over.low:.3f}–{over.high:.3f})")
    # a curve begins at no false positives, even where it rises there at once
    x, y = np.append(0.0, GRID), np.append(0.0, rates.mean(axis=0))
    return Curve(x, y, GRID, rates.min(axis=0), rates.max(axis=0), auc)


def _sought(each: Backed, asked: str) -> str:
    """Give the class of a panel's curve: as asked, else what its task asks for, else the first."""
    classes = evaluations(each.cells[:1])[0].classes
    if asked and asked not in classes:
        raise PredictionsError(unknown("class of the ROC curves", asked, classes))
    of = asked or each.cells[0].recipe.data.task.partition("/")[0]
    return of if of in classes else classes[0]


def _draw(axes: Axes, curve: Curve, words: str, number: int, *, banded: bool) -> None:
    look = line(number)
    if banded and len(curve.grid):
        axes.fill_between(curve.grid, curve.low, curve.high, color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(curve.fpr, curve.tpr, linewidth=1.3, label=words, **look)


def _dress(axes: Axes, title: str) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, dashes=(4, 2))
    dress(axes, title=title, x="1 − specificity", y="Sensitivity")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
