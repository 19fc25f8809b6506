"""The figure of a comparison: ROC curves of the models on each other, and the differences with their intervals."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lesionlens.atomic import atomic_write
from lesionlens.evaluation.compare.contrast import ComparisonReport
from lesionlens.evaluation.compare.forest import forest_plot
from lesionlens.evaluation.compare.roc_panels import _MAX_COLUMNS, _SMALL_FONT, select_roc_classes, roc_panels
from lesionlens.evaluation.evaluation import RESEARCH_USE_NOTICE
from lesionlens.evaluation.measures import OVERALL
from lesionlens.evaluation.prediction_table import Predictions

_PAGE_INCHES, _ROW_INCHES, _PANEL_INCHES = 7.2, 0.2, 2.8  # inches
_ROW_SPACING = 0.06  # of a row's height: a row's numbers stand off the row above


def comparison_figure(
    report: ComparisonReport, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> Figure:
    """Draw the ROC curves of each class whose AUC is compared, and a panel of differences for each pair.

    Without ``models``, as over runs, there are the differences alone.
    """
    classes = select_roc_classes(report, models)
    below = sum(_ROW_INCHES * len(pair) + 0.75 for pair in report.group_by_pair())
    if len(classes) == 1:
        figure = _figure_side_by_side(report, classes, models, names, below)
    else:
        figure = _figure_stacked(report, classes, models, names, below)
    # below all that is laid out; files are cut to what is drawn
    figure.text(0, 0, RESEARCH_USE_NOTICE, va="top", fontsize=_SMALL_FONT, fontstyle="italic", color="dimgray")
    return figure


def _figure_side_by_side(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    one_class = len({each.scope for each in report.comparisons} - {OVERALL}) <= 1
    figure = Figure(figsize=(_PAGE_INCHES, max(forest_height, _PANEL_INCHES)), layout="constrained", dpi=200)
    parts = figure.subfigures(1, 2, width_ratios=[1, 2], wspace=0.03, squeeze=False)[0]
    roc_panels(parts[0], classes, models, names, report)
    forest_plot(parts[1], report, one_class=one_class)
    return figure


def _figure_stacked(
    report: ComparisonReport,
    classes: Sequence[str],
    models: Sequence[Predictions],
    names: Sequence[str],
    forest_height: float,
) -> Figure:
    above = math.ceil(len(classes) / _MAX_COLUMNS) * _PANEL_INCHES
    figure = Figure(figsize=(_PAGE_INCHES, above + forest_height), layout=ConstrainedLayoutEngine(hspace=_ROW_SPACING), dpi=200)
    if not classes:
        forest_plot(figure, report, one_class=False)
        return figure
    parts = figure.subfigures(2, 1, height_ratios=[above, forest_height], hspace=0.02, squeeze=False)[:, 0]
    roc_panels(parts[0], classes, models, names, report)
    forest_plot(parts[1], report, one_class=False)
    return figure


def write_comparison_figure(
    folder: Path | str, report: ComparisonReport, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> list[Path]:
    """Write ``comparison.png`` and ``comparison.svg``."""
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"comparison.{suffix}"
        with atomic_write(path) as part:
            figure = comparison_figure(report, models, names)
            figure.savefig(part, format=suffix, bbox_inches="tight", pad_inches=0.05)
        written.append(path)
    return written
