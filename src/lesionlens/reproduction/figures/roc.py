"""ROC curves of several models on one axes (Yan 2020, Fig. 3.2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, display_name, format_with_interval
from lesionlens.evaluation.metrics import FPR_GRID, CurveValues
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.reproduction.figures.base import (
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    TINY_FONT_SIZE,
    FigureDraft,
    PanelRuns,
    line_style,
    panels_with_runs,
    read_evaluations,
    style_axes,
)
from lesionlens.reproduction.planner import TableResults
from lesionlens.runs.run_statistics import summarize_fractions

ROC_PANEL_INCHES = 3.1  # inches
MAX_BANDED_CURVES = 3  # curves on one axes whose bands can still be told apart
ROC_CAPTION = (
    "A model's line is the mean of its runs at each false positive rate. In brackets the 95 % interval of the AUC: of "
    "the mean over runs where there are three or more, over lesions where there is one."
)
BANDS_CAPTION = (
    "Bands: from the lowest to the highest run; of a single run the pointwise 95 % interval over lesions."
)


class MeanROCCurve(NamedTuple):
    """A curve, (p,) each, the band around it, (g,) each, and the AUC in words."""

    fpr: CurveValues | FloatArray
    tpr: CurveValues | FloatArray
    grid: CurveValues | FloatArray
    low: CurveValues | FloatArray
    high: CurveValues | FloatArray
    auc: str


def mean_roc_figure(results: TableResults) -> FigureDraft | None:
    """Draw the ROC curves of all panels, an axes for each variant of the rows.

    Raises
    ------
    PredictionsError
        A run has no class of the name that the figure asks for.
    """
    found, notes = panels_with_runs(results)
    said = results.spec.figure
    if not found or said is None:
        return None
    panels_by_variant: dict[str, list[PanelRuns]] = {}
    for each in found:
        panels_by_variant.setdefault(each.panel.variant, []).append(each)
    banded = max(map(len, panels_by_variant.values())) <= MAX_BANDED_CURVES
    figure = Figure(
        figsize=(ROC_PANEL_INCHES * len(panels_by_variant), ROC_PANEL_INCHES + 0.25), layout="constrained"
    )
    for axes, (variant, panels) in zip(
        figure.subplots(1, len(panels_by_variant), squeeze=False).flat, panels_by_variant.items(), strict=True
    ):
        _style_roc_axes(
            axes, ", ".join(filter(None, (variant, display_name(_class_for_panel(panels[0], said.target)))))
        )
        for number, each in enumerate(panels):
            curve = mean_roc_curve(read_evaluations(each.cells), _class_for_panel(each, said.target))
            _draw_curve(axes, curve, f"{each.title}  {curve.auc}", number, banded=banded)
        axes.legend(
            fontsize=TINY_FONT_SIZE + 0.5, framealpha=0.85, edgecolor="none", loc="lower right", handlelength=2.4,
            title="model, AUC", title_fontsize=SMALL_FONT_SIZE, alignment="left",
        )  # fmt: skip
    words = (said.caption, ROC_CAPTION, BANDS_CAPTION if banded else "")
    return FigureDraft(figure, " ".join(filter(None, words)), notes)


def mean_roc_curve(runs: Sequence[EvaluationResult], class_name: str) -> MeanROCCurve:
    """Give the ROC curve of a class over runs: of one its own, of several the mean at each false positive rate."""
    known = [run for run in runs if class_name in run.curves]
    if not known:
        return MeanROCCurve((), (), (), (), (), UNDEFINED_SYMBOL)
    if len(known) == 1:
        one = known[0].curves[class_name]
        return MeanROCCurve(
            one.fpr,
            one.tpr,
            one.fpr_grid,
            one.tpr_low,
            one.tpr_high,
            format_with_interval(known[0].estimate("auc", class_name)),
        )
    rates = np.array(
        [np.interp(FPR_GRID, run.curves[class_name].fpr, run.curves[class_name].tpr) for run in known]
    )
    over = summarize_fractions([run.value("auc", class_name) for run in known])
    auc = f"{over.mean:.3f}" + ("" if np.isnan(over.low) else f" ({over.low:.3f}–{over.high:.3f})")
    # a curve begins at no false positives, even where it rises there at once
    x, y = np.append(0.0, FPR_GRID), np.append(0.0, rates.mean(axis=0))
    return MeanROCCurve(x, y, FPR_GRID, rates.min(axis=0), rates.max(axis=0), auc)


def _class_for_panel(panel_runs: PanelRuns, requested: str) -> str:
    """Give the class of a panel's curve: as asked, else what its task asks for, else the first."""
    classes = read_evaluations(panel_runs.cells[:1])[0].classes
    if requested and requested not in classes:
        raise PredictionsError(unknown_name_message("class of the ROC curves", requested, classes))
    of = requested or panel_runs.cells[0].recipe.data.task.partition("/")[0]
    return of if of in classes else classes[0]


def _draw_curve(axes: Axes, curve: MeanROCCurve, label: str, number: int, *, banded: bool) -> None:
    look = line_style(number)
    if banded and len(curve.grid):
        axes.fill_between(curve.grid, curve.low, curve.high, color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(curve.fpr, curve.tpr, linewidth=1.3, label=label, **look)


def _style_roc_axes(axes: Axes, title: str) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED_COLOR, linewidth=0.7, dashes=(4, 2))
    style_axes(axes, title=title, x_label="1 − specificity", y_label="Sensitivity")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
