"""Figures of the scores as probabilities: reliability diagram, risk against coverage, and decision curves."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import BLUE, MUTED_COLOR, ORANGE, figure_style, set_plain_ticks
from lesionlens.evaluation.calibrated_columns import CALIBRATED_PREFIX
from lesionlens.evaluation.formatting import display_name, format_with_interval
from lesionlens.evaluation.metric import OVERALL, Scope
from lesionlens.evaluation.panel_grid import PanelGrid, SquarePanel, draw_panels
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.score_curves import (
    LARGEST_SCORE,
    PROBABILITY_THRESHOLDS,
    BandedCurve,
    CurvesByScores,
    ScoreCurves,
    treat_all_benefit,
)

_COLORS = {"model": ORANGE, "calibrated": BLUE}
_DECIMALS_INCHES = 0.6  # left of a panel whose ticks have up to three decimals
_SCORES_LEGEND = {"model": "model scores", "calibrated": "calibrated scores"}


@figure_style()
def reliability_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the fraction of images against the mean score in each bin, for the largest score and for each class."""
    curves = _curves(evaluation).reliability
    panels = [_reliability_panel(evaluation, name) for name in curves]

    def plot(axes: list[Axes]) -> None:
        for panel, by_scores in zip(axes, curves.values(), strict=True):
            panel.plot([0, 1], [0, 1], color=MUTED_COLOR, linewidth=0.7, dashes=(4, 2), label="ideal")
            for scores, curve in by_scores.items():
                _plot_points(panel, curve, color=_COLORS[scores], label=scores)

    grid = PanelGrid(panels, ("Mean score of a bin", "Fraction of its images"))
    return draw_panels(grid, plot, {**_SCORES_LEGEND, "ideal": "scores that are frequencies"})


def _reliability_panel(evaluation: EvaluationResult, name: str) -> SquarePanel:
    metric, scope, title = (
        ("ece", OVERALL, "Largest score")
        if name == LARGEST_SCORE
        else ("classwise_ece", name, display_name(name))
    )
    return SquarePanel(
        title, _values(evaluation, "ECE", metric, scope, _curves(evaluation).reliability[name])
    )


@figure_style()
def risk_coverage_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the error rate of the images with the largest scores against their fraction of all images."""
    by_scores = _curves(evaluation).risk_coverage

    def plot(axes: list[Axes]) -> None:
        for scores, curve in by_scores.items():
            _plot_line(axes[0], curve, color=_COLORS[scores], label=scores)
        highest = max(max(curve.high or curve.y) for curve in by_scores.values())
        _set_height(axes[0], 0.0, highest or 1.0)

    text = _values(evaluation, "AURC", "aurc", OVERALL, {"model": by_scores["model"]})
    grid = PanelGrid(
        [SquarePanel("Risk and coverage", text)],
        ("Images that are answered", "Errors among them"),
        side=2.4,
        left=_DECIMALS_INCHES,
    )
    return draw_panels(grid, plot, _SCORES_LEGEND)


@figure_style()
def decision_curve_figure(evaluation: EvaluationResult) -> Figure:
    """Plot the net benefit of each class against the threshold probability, with that of treating all and none."""
    curves = _curves(evaluation).net_benefit
    prevalence = {
        name: support / evaluation.n_images
        for name, support in zip(evaluation.classes, evaluation.support, strict=True)
    }
    panels = [
        SquarePanel(display_name(name), f"{100 * prevalence[name]:.1f} % of the images") for name in curves
    ]

    def plot(axes: list[Axes]) -> None:
        for panel, (name, by_scores) in zip(axes, curves.items(), strict=True):
            _plot_references(panel, prevalence[name])
            for scores, curve in by_scores.items():
                _plot_line(panel, curve, color=_COLORS[scores], label=scores)
            _set_height(panel, -0.15 * (prevalence[name] or 1.0), prevalence[name] or 1.0)

    references = {"all": "treat all", "none": "treat none"}
    grid = PanelGrid(panels, ("Threshold probability", "Net benefit"), left=_DECIMALS_INCHES)
    return draw_panels(grid, plot, {**_SCORES_LEGEND, **references})


SCORE_FIGURES: dict[str, Callable[[EvaluationResult], Figure]] = {
    "reliability": reliability_figure,
    "risk_coverage": risk_coverage_figure,
    "decision_curve": decision_curve_figure,
}


def _curves(evaluation: EvaluationResult) -> ScoreCurves:
    assert evaluation.score_curves is not None, "evaluations of earlier versions have no such figure"
    return evaluation.score_curves


def _values(
    evaluation: EvaluationResult, title: str, metric: str, scope: Scope, by_scores: CurvesByScores
) -> str:
    """Return one line for each kind of scores with the value of its metric."""
    prefixes = {"model": "", "calibrated": CALIBRATED_PREFIX}
    values = {
        scores: format_with_interval(evaluation.estimate(prefixes[scores] + metric, scope))
        for scores in by_scores
    }
    lines = [f"{title} {values.pop('model')}", *(f"{scores} {value}" for scores, value in values.items())]
    return "\n".join(lines)


def _plot_points(axes: Axes, curve: BandedCurve, *, color: str, label: str) -> None:
    """Plot a point and its interval for each bin."""
    axes.plot(curve.x, curve.y, color=color, linewidth=0.8, marker="o", markersize=2.2, label=label)
    if curve.low:
        axes.vlines(curve.x, curve.low, curve.high, color=color, linewidth=0.7, alpha=0.6)


def _plot_line(axes: Axes, curve: BandedCurve, *, color: str, label: str) -> None:
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=color, alpha=0.15, linewidth=0)
    axes.plot(curve.x, curve.y, color=color, linewidth=1.2, label=label)


def _plot_references(axes: Axes, prevalence: float) -> None:
    treat_all = treat_all_benefit(prevalence, PROBABILITY_THRESHOLDS)
    axes.plot(PROBABILITY_THRESHOLDS, treat_all, color=MUTED_COLOR, linewidth=0.8, dashes=(4, 2), label="all")
    axes.axhline(0, color=MUTED_COLOR, linewidth=0.8, label="none")


def _set_height(axes: Axes, low: float, high: float) -> None:
    """Set the limits of the vertical axis with round ticks; the panel keeps its square shape."""
    axes.set_aspect("auto")
    axes.set_ylim(low, high + 0.08 * (high - low))
    set_plain_ticks(axes.yaxis, max_ticks=4)
