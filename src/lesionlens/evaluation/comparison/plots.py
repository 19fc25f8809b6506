"""Figure of a comparison of models on the same images: overlaid ROC curves, and a forest plot of the differences."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    BLUE,
    FIGURE_DPI,
    GRID_COLOR,
    MUTED_COLOR,
    NORMAL_FONT_SIZE,
    SMALL_FONT_SIZE,
    figure_style,
    figure_text,
    line_style,
    place_axes,
    place_text,
    save_figure,
    set_plain_ticks,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison
from lesionlens.evaluation.formatting import (
    display_name,
    format_difference,
    format_metric_direction,
    format_p_value,
    format_value,
)
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.metrics import ThresholdSweep, auc, downsample_curve, roc_curve, threshold_sweep
from lesionlens.evaluation.panel_grid import PanelGrid, SquarePanel
from lesionlens.evaluation.plots import plot_chance_line, plot_roc_curve
from lesionlens.evaluation.predictions import Predictions

_PANEL_SIDE, _MAX_COLUMNS = 1.95, 3  # inches; panels per row
_FOREST_SIDE = 2.4  # inches: width of the plot of the differences
_MIN_ROW_HEIGHT, _TICK_HEIGHT = 0.2, 0.3  # inches: of a difference, and of the numbers below a plot
_MAX_LABEL_WIDTH = 2.1  # inches, of the names of metrics and classes
_MARGIN = 0.06  # inches, at the edges of the figure and between its parts


def select_roc_classes(report: ComparisonReport, models: Sequence[Predictions]) -> list[str]:
    """Return the classes that have images and whose AUC is compared."""
    if not models:
        return []
    scopes = dict.fromkeys(
        comparison.scope for comparison in report.comparisons if comparison.metric == "auc"
    )
    names = [scope for scope in scopes if isinstance(scope, str)]
    return [name for name in names if name in models[0].classes and (models[0].label == name).any()]


def _describe_panels(
    classes: Sequence[str], models: Sequence[Predictions], names: Sequence[str], report: ComparisonReport
) -> list[SquarePanel]:
    """Return a panel per class, with the AUC of each model; of two models also with their difference."""
    return [
        SquarePanel(
            display_name(class_name),
            f"{_difference_label(report, class_name) if len(models) == 2 else ''}AUC",
            tuple(
                f"{name} {format_value(float(auc(_sweep_class(model, class_name))))}"
                for model, name in zip(models, names, strict=True)
            ),
        )
        for class_name in classes
    ]


def _sweep_class(model: Predictions, class_name: str) -> ThresholdSweep:
    return threshold_sweep(model.label == class_name, model.scores[:, model.classes.index(class_name)])


def _difference_label(report: ComparisonReport, class_name: str) -> str:
    comparison = next(
        comparison
        for comparison in report.comparisons
        if (comparison.metric, comparison.scope) == ("auc", class_name)
    )
    test = comparison.primary_test
    difference = format_difference(*comparison.interval_result[:3])
    return f"difference {difference}\np {format_p_value(test.p)} ({test.test})\n"


def _plot_models(axes: Axes, models: Sequence[Predictions], class_name: str) -> None:
    plot_chance_line(axes, color="#C4C4C4")
    for index, model in enumerate(models):
        plot_roc_curve(
            axes,
            *downsample_curve(*roc_curve(_sweep_class(model, class_name))),
            label=str(index),
            **line_style(index),
        )


class _ForestPlot:
    """Differences of each pair of models in one plot per pair, all on the same scale, with sizes in inches.

    With ``one_class`` the labels omit the name of the class, which the figure shows elsewhere.
    """

    def __init__(self, report: ComparisonReport, *, one_class: bool) -> None:
        self.report = report
        self.pairs = report.group_by_pair()
        self.labels = [
            [_metric_label(comparison, one_class=one_class) for comparison in pair] for pair in self.pairs
        ]

    @cached_property
    def left(self) -> float:
        """Width of the labels."""
        return max(text_width(name, SMALL_FONT_SIZE) for names in self.labels for name in names) + 2 * _MARGIN

    @cached_property
    def number_widths(self) -> tuple[float, float]:
        """Widths of the differences and of the p-values."""
        texts = [_number_texts(comparison) for comparison in self.report.comparisons]
        differences, p_values = (
            max(text_width(text, SMALL_FONT_SIZE) for text in column) for column in zip(*texts, strict=True)
        )
        return differences + 2 * _MARGIN, p_values + 2 * _MARGIN

    @property
    def width(self) -> float:
        """Width of the plots with labels and numbers."""
        return self.left + _FOREST_SIDE + sum(self.number_widths)

    @cached_property
    def row_height(self) -> float:
        """Height of a difference."""
        highest = max(text_height(name, SMALL_FONT_SIZE) for names in self.labels for name in names)
        return max(_MIN_ROW_HEIGHT, highest + _MARGIN)

    @cached_property
    def titles(self) -> list[str]:
        """Names of the models of each pair."""
        names = [f"{pair[0].first} − {pair[0].second}" for pair in self.pairs]
        return [wrap_text(name, self.width, NORMAL_FONT_SIZE, bold=True, max_lines=4) for name in names]

    def header_height(self, index: int) -> float:
        """Height of a pair's title and of the directions below it."""
        return (
            text_height(self.titles[index], NORMAL_FONT_SIZE) + text_height("", SMALL_FONT_SIZE) + 3 * _MARGIN
        )

    @property
    def height(self) -> float:
        """Height of all plots, with the label of the axis."""
        rows = sum(self.row_height * len(pair) + _TICK_HEIGHT for pair in self.pairs)
        return rows + sum(map(self.header_height, range(len(self.pairs)))) + text_height("", SMALL_FONT_SIZE)

    def draw(self, figure: Figure, *, left: float, top: float) -> None:
        """Draw the plots at a position in inches from the top left corner of a figure."""
        axes = None
        for index, pair in enumerate(self.pairs):
            header, height = self.header_height(index), self.row_height * len(pair)
            style = {"fontsize": NORMAL_FONT_SIZE, "fontweight": "bold"}
            place_text(figure, self.titles[index], left=left + _MARGIN, top=top + _MARGIN, **style)
            axes = place_axes(
                figure, left=left + self.left, top=top + header, width=_FOREST_SIDE, height=height
            )
            self._plot_pair(axes, index)
            top += header + height + _TICK_HEIGHT
        if axes is not None:
            interval = f"{100 * float(self.report.settings['confidence']):g} % interval"
            axes.set_xlabel(f"difference, {interval}", fontsize=SMALL_FONT_SIZE)

    def _plot_pair(self, axes: Axes, index: int) -> None:
        axes.axvline(0, color=MUTED_COLOR, linewidth=0.7)
        for row, comparison in enumerate(self.pairs[index]):
            difference, low, high = comparison.interval_result[:3]
            axes.plot([low, high], [row, row], color=BLUE, linewidth=1.2, solid_capstyle="butt")
            # filled if the interval excludes zero; hollow otherwise, and without an interval
            face = BLUE if low > 0 or high < 0 else "white"
            axes.plot(difference, row, "o", color=BLUE, markersize=4, markerfacecolor=face)
            offsets = (_MARGIN, _MARGIN + self.number_widths[0])
            for text, offset in zip(_number_texts(comparison), offsets, strict=True):
                axes.annotate(
                    text, (1, row), xycoords=("axes fraction", "data"), xytext=(72 * offset, 0),
                    textcoords="offset points", va="center", fontsize=SMALL_FONT_SIZE,
                )  # fmt: skip
        axes.set_yticks(
            range(len(self.labels[index])),
            self.labels[index],
            fontsize=SMALL_FONT_SIZE,
            linespacing=LINE_SPACING,
        )
        axes.set_ylim(len(self.labels[index]) - 0.5, -0.5)
        axes.set_xlim(-_reach(self.report), _reach(self.report))
        _style_forest_axes(axes)


def _metric_label(comparison: MetricComparison, *, one_class: bool) -> str:
    title = format_metric_direction(comparison.metric, OVERALL if one_class else comparison.scope)
    if one_class:
        return title
    return wrap_text(title, _MAX_LABEL_WIDTH, SMALL_FONT_SIZE, max_lines=4)


def _number_texts(comparison: MetricComparison) -> tuple[str, str]:
    """Return difference with interval, and p-value."""
    difference = format_difference(*comparison.interval_result[:3])
    return difference, f"p {format_p_value(comparison.primary_test.p)}"


def _reach(report: ComparisonReport) -> float:
    """Return the largest absolute bound of the intervals, with a margin."""
    bounds = [number for comparison in report.comparisons for number in comparison.interval_result[:3]]
    return 1.08 * (max((abs(number) for number in bounds if math.isfinite(number)), default=0.0) or 0.01)


def _style_forest_axes(axes: Axes) -> None:
    for x, text, side in ((0, "← second better", "left"), (1, "first better →", "right")):
        axes.annotate(
            text, (x, 1), xycoords="axes fraction", xytext=(0, 2), textcoords="offset points", ha=side, va="bottom",
            fontsize=SMALL_FONT_SIZE, color="dimgray",
        )  # fmt: skip
    set_plain_ticks(axes.xaxis, max_ticks=4)
    axes.tick_params(axis="x", labelsize=SMALL_FONT_SIZE, length=2, width=0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID_COLOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)


@figure_style()
def comparison_figure(
    report: ComparisonReport, models: Sequence[Predictions] = (), names: Sequence[str] = ()
) -> Figure:
    """Plot the ROC curves of each class whose AUC is compared, and the differences of each pair.

    The differences are next to the curves of a single class, and below those of several. Without ``models``, as for
    groups of runs, the figure has only the differences.
    """
    classes = select_roc_classes(report, models)
    panels = _describe_panels(classes, models, names, report)
    grid = PanelGrid(panels, ("1 − specificity", "Sensitivity"), side=_PANEL_SIDE, max_columns=_MAX_COLUMNS)
    one_class = len({comparison.scope for comparison in report.comparisons} - {OVERALL}) <= 1
    forest = _ForestPlot(report, one_class=one_class and len(classes) == 1)
    left, top = (grid.width, 0.0) if len(classes) == 1 else (0.0, grid.height)
    height = max(grid.height, top + forest.height) + text_height("", SMALL_FONT_SIZE) + 3 * _MARGIN
    figure = Figure(figsize=(max(grid.width, left + forest.width), height), dpi=FIGURE_DPI)
    axes = grid.add_axes(figure)
    for panel, class_name in zip(axes, classes, strict=True):
        _plot_models(panel, models, class_name)
    grid.write_headers(axes)
    forest.draw(figure, left=left, top=top)
    notice_top = height - text_height("", SMALL_FONT_SIZE) - _MARGIN
    style = {"fontsize": SMALL_FONT_SIZE, "fontstyle": "italic", "color": "dimgray"}
    place_text(figure, RESEARCH_USE_NOTICE, left=_MARGIN, top=notice_top, **style)
    return figure


def write_comparison_figure(
    folder: Path | str,
    report: ComparisonReport,
    models: Sequence[Predictions] = (),
    names: Sequence[str] = (),
) -> list[Path]:
    """Write ``comparison.png`` and ``comparison.svg`` to a folder and return their paths.

    Warns
    -----
    UserWarning
        Characters are in no installed font, so that the png file shows boxes instead.
    """
    figure = comparison_figure(report, models, names)
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"comparison.{suffix}"
        with atomic_write(path) as temporary:
            save_figure(figure, temporary, suffix=suffix)
        written.append(path)
    warn_about_missing_glyphs(figure_text(figure), "PNG")
    return written
