"""ROC curves of several runs: the pooled folds or the mean of the runs, over the curves of the runs themselves."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import BLUE, FIGURE_DPI, ORANGE, figure_style, legend_height, place_legend
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.mean_roc import mean_roc
from lesionlens.evaluation.metrics import ClassCurves
from lesionlens.evaluation.panel_grid import PanelGrid, SquarePanel
from lesionlens.evaluation.plots import ROCBand, plot_chance_line, plot_roc_curve
from lesionlens.evaluation.result import EvaluationResult

_RUN_COLOR = "#B0B0B0"
_MARGIN = 0.06  # inches


@figure_style()
def group_roc_plot(
    pool: EvaluationResult | None, runs: Sequence[EvaluationResult], texts: Mapping[str, str]
) -> Figure:
    """Plot one panel per class: the curve of each run, and the pool with its band, or the mean of the runs.

    Parameters
    ----------
    pool
        Evaluation of the pooled folds; None plots the mean of the runs.
    runs
        Evaluations of the runs.
    texts
        Text above the panel of each class.
    """
    grid = PanelGrid(
        [SquarePanel(display_name(name), text) for name, text in texts.items()],
        ("1 − specificity", "Sensitivity"),
    )
    interval = "" if pool is None else f"its {100 * pool.confidence:g} % interval over lesions"
    main = "mean of the runs" if pool is None else "pooled folds"
    labels = [label for label in (main, interval, "single runs", "chance") if label]
    width = grid.width - 2 * _MARGIN
    height = grid.height + legend_height(labels, width) + _MARGIN
    figure = Figure(figsize=(grid.width, height), dpi=FIGURE_DPI)
    panels = grid.add_axes(figure)
    for axes, name in zip(panels, texts, strict=True):
        plot_chance_line(axes, color=ORANGE, label="chance")
        curves = [run.curves[name] for run in runs if name in run.curves]
        for curve in curves:
            plot_roc_curve(axes, curve.fpr, curve.tpr, color=_RUN_COLOR, linewidth=0.6, label="single runs")
        _plot_main_curve(axes, None if pool is None else pool.curves.get(name), curves, main, interval)
    grid.write_headers(panels)
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    shown = [label for label in labels if label in handles]
    place_legend(
        figure, [handles[label] for label in shown], shown, left=_MARGIN, top=grid.height, width=width
    )
    return figure


def _plot_main_curve(
    axes: Axes, pooled: ClassCurves | None, curves: Sequence[ClassCurves], main: str, interval: str
) -> None:
    if pooled is not None:
        band = ROCBand(pooled.fpr_grid, pooled.tpr_low, pooled.tpr_high, label=interval)
        plot_roc_curve(axes, pooled.fpr, pooled.tpr, band=band, color=BLUE, label=main)
    elif curves:
        mean = mean_roc(curves)
        plot_roc_curve(axes, mean.fpr, mean.tpr, color=BLUE, label=main)
