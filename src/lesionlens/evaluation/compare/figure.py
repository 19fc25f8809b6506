"""The figure of a comparison: ROC curves of the models on each other, and the differences with their intervals."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lesionlens.atomic import replacing
from lesionlens.evaluation.compare.contrast import Contrasts
from lesionlens.evaluation.compare.forest import forest
from lesionlens.evaluation.compare.roc_panels import ACROSS, SMALL, compared_classes, roc_panels
from lesionlens.evaluation.evaluation import NOTICE
from lesionlens.evaluation.measures import ALL
from lesionlens.evaluation.prediction_table import Predictions

_PAGE, _ROW, _PANEL = 7.2, 0.2, 2.8  # inches
_APART = 0.06  # of a row's height: a row's numbers stand off the row above


def comparison_figure(
    found: Contrasts, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> Figure:
    """Draw the ROC curves of each class whose AUC is compared, and a panel of differences for each pair.

    Without ``models``, as over runs, there are the differences alone.
    """
    classes = compared_classes(found, models)
    below = sum(_ROW * len(pair) + 0.75 for pair in found.pairs())
    if len(classes) == 1:
        figure = _side_by_side(found, classes, models, names, below)
    else:
        figure = _above_each_other(found, classes, models, names, below)
    # below all that is laid out; files are cut to what is drawn
    figure.text(0, 0, NOTICE, va="top", fontsize=SMALL, fontstyle="italic", color="dimgray")
    return figure


def _side_by_side(
    found: Contrasts,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    below: float,
) -> Figure:
    one_class = len({each.of for each in found.contrasts} - {ALL}) <= 1
    figure = Figure(figsize=(_PAGE, max(below, _PANEL)), layout="constrained", dpi=200)
    parts = figure.subfigures(1, 2, width_ratios=[1, 2], wspace=0.03, squeeze=False)[0]
    roc_panels(parts[0], classes, models, names, found)
    forest(parts[1], found, one_class=one_class)
    return figure


def _above_each_other(
    found: Contrasts,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    below: float,
) -> Figure:
    above = math.ceil(len(classes) / ACROSS) * _PANEL
    figure = Figure(figsize=(_PAGE, above + below), layout=ConstrainedLayoutEngine(hspace=_APART), dpi=200)
    if not classes:
        forest(figure, found, one_class=False)
        return figure
    parts = figure.subfigures(2, 1, height_ratios=[above, below], hspace=0.02, squeeze=False)[:, 0]
    roc_panels(parts[0], classes, models, names, found)
    forest(parts[1], found, one_class=False)
    return figure


def write_comparison_figure(
    folder: Path | str, found: Contrasts, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> list[Path]:
    """Write ``comparison.png`` and ``comparison.svg``."""
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"comparison.{suffix}"
        with replacing(path) as part:
            figure = comparison_figure(found, models, names)
            figure.savefig(part, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written
