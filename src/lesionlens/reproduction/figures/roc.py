"""Figure of the ROC curves of several rows of a table, each averaged over its runs (Yan 2020, Fig. 3.2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.figure_style import FIGURE_DPI, GRID_COLOR, MUTED_COLOR, figure_style, line_style
from lesionlens.core.task_names import parse_task
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, display_name, format_with_interval
from lesionlens.evaluation.mean_roc import mean_roc
from lesionlens.evaluation.metrics import CurveValues
from lesionlens.evaluation.panel_grid import PanelGrid, SquarePanel
from lesionlens.evaluation.plots import ROCBand, plot_chance_line, plot_roc_curve
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.reproduction.figures.base import (
    FOOTER_INCHES,
    CaptionedFigure,
    PanelRuns,
    panels_with_runs,
    read_evaluations,
)
from lesionlens.reproduction.planner import TableResults
from lesionlens.runs.run_statistics import summarize_fractions

ROC_PANEL_INCHES, MAX_ROC_COLUMNS = 2.5, 3
MAX_BANDED_CURVES = 3  # with more curves in one plot, bands are not distinguishable
ROC_CAPTION = (
    "Each line is the mean of a model's runs at each false positive rate. In brackets the 95 % interval of the AUC: "
    "over runs if there are three or more, over lesions if there is one."
)
BANDS_CAPTION = "Bands: range over runs; of a single run, the pointwise 95 % interval over lesions."


class MeanROCCurve(NamedTuple):
    """A curve (p,), the band around it (g,), and the AUC as text."""

    fpr: CurveValues | FloatArray
    tpr: CurveValues | FloatArray
    grid: CurveValues | FloatArray
    low: CurveValues | FloatArray
    high: CurveValues | FloatArray
    auc: str


def mean_roc_figure(results: TableResults) -> CaptionedFigure | None:
    """Plot the ROC curves of all panels, a plot per variant of the rows.

    Raises
    ------
    PredictionsError
        A run does not have the class that the figure specifies.
    """
    panels_with_data, notes = panels_with_runs(results)
    spec = results.spec.figure
    if not panels_with_data or spec is None:
        return None
    panels_by_variant: dict[str, list[PanelRuns]] = {}
    for panel in panels_with_data:
        panels_by_variant.setdefault(panel.panel.variant, []).append(panel)
    banded = max(map(len, panels_by_variant.values())) <= MAX_BANDED_CURVES
    curves = {
        variant: [
            mean_roc_curve(read_evaluations(panel.cells), _class_for_panel(panel, spec.target))
            for panel in panels
        ]
        for variant, panels in panels_by_variant.items()
    }
    plots = [
        _describe_plot(panels, curves[variant], spec.target) for variant, panels in panels_by_variant.items()
    ]
    captions = (spec.caption, ROC_CAPTION, BANDS_CAPTION if banded else "")
    return CaptionedFigure(
        _draw_plots(plots, [*curves.values()], banded=banded), " ".join(filter(None, captions)), notes
    )


@figure_style()
def _draw_plots(
    plots: Sequence[SquarePanel], curves: Sequence[Sequence[MeanROCCurve]], *, banded: bool
) -> Figure:
    """Draw the curves of each plot."""
    axis_labels = ("1 − specificity", "Sensitivity")
    grid = PanelGrid(plots, axis_labels, side=ROC_PANEL_INCHES, max_columns=MAX_ROC_COLUMNS)
    figure = Figure(figsize=(grid.width, grid.height + FOOTER_INCHES), dpi=FIGURE_DPI)
    panels = grid.add_axes(figure)
    for axes, members in zip(panels, curves, strict=True):
        plot_chance_line(axes, color=MUTED_COLOR)
        axes.grid(color=GRID_COLOR, linewidth=0.6)
        axes.set_axisbelow(True)
        for number, curve in enumerate(members):
            _draw_curve(axes, curve, number, banded=banded)
    grid.write_headers(panels)
    return figure


def _describe_plot(panels: Sequence[PanelRuns], curves: Sequence[MeanROCCurve], target: str) -> SquarePanel:
    """Return variant and class as the title, and the labels of the curves."""
    title = ", ".join(
        filter(None, (panels[0].panel.variant, display_name(_class_for_panel(panels[0], target))))
    )
    labels = tuple(f"{panel.title}  {curve.auc}" for panel, curve in zip(panels, curves, strict=True))
    return SquarePanel(title, "model, AUC", labels)


def mean_roc_curve(runs: Sequence[EvaluationResult], class_name: str) -> MeanROCCurve:
    """Return the ROC curve of a class: of several runs, the mean at each false positive rate."""
    with_curve = [run for run in runs if class_name in run.curves]
    if not with_curve:
        return MeanROCCurve((), (), (), (), (), UNDEFINED_SYMBOL)
    if len(with_curve) == 1:
        curve = with_curve[0].curves[class_name]
        return MeanROCCurve(
            curve.fpr,
            curve.tpr,
            curve.fpr_grid,
            curve.tpr_low,
            curve.tpr_high,
            format_with_interval(with_curve[0].estimate("auc", class_name)),
        )
    mean = mean_roc([run.curves[class_name] for run in with_curve])
    summary = summarize_fractions([run.value("auc", class_name) for run in with_curve])
    auc = f"{summary.mean:.3f}" + (
        "" if np.isnan(summary.low) else f" ({summary.low:.3f}–{summary.high:.3f})"
    )
    return MeanROCCurve(*mean, auc)


def _class_for_panel(panel_runs: PanelRuns, requested: str) -> str:
    """Return the class of a panel's curve: the requested one, else the positive class of its task, else the first."""
    classes = read_evaluations(panel_runs.cells[:1])[0].classes
    if requested and requested not in classes:
        raise PredictionsError(unknown_name_message("class of the ROC curves", requested, classes))
    positive = parse_task(panel_runs.cells[0].recipe.data.task, classes).classes
    return requested or next(iter(positive), classes[0])


def _draw_curve(axes: Axes, curve: MeanROCCurve, number: int, *, banded: bool) -> None:
    band = ROCBand(curve.grid, curve.low, curve.high, alpha=0.15) if banded else None
    plot_roc_curve(axes, curve.fpr, curve.tpr, band=band, label=str(number), **line_style(number))
