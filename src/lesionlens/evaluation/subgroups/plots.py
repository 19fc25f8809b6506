"""Forest plot of the results by subgroup: the difference of each group from all other images, one panel per metric."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
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
    place_axes,
    place_text,
    save_figure,
    set_plain_ticks,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import text_height, text_width, wrap_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import display_name, format_metric
from lesionlens.evaluation.metric import MetricKey
from lesionlens.evaluation.subgroups.result import (
    FAMILY_ALPHA,
    MIN_GROUP_LESIONS,
    Subgroup,
    SubgroupReport,
)

_PANEL_WIDTH, _PANEL_GAP = 1.55, 0.25  # inches
_PANELS_PER_BLOCK = 4
_MARGIN = 0.06
_AXIS_HEIGHT = 0.3  # inches, of the numbers below a panel
_MAX_LABEL_WIDTH = 2.3
_UNTESTED_COLOR = "#B0B0B0"
_REACH_QUANTILE = (
    0.9  # of the bounds that a panel shows completely, so that one small group does not set the scale
)


class _Row(NamedTuple):
    """A line of the plot: a group, or the name of a column above its groups."""

    label: str
    group: Subgroup | None


class _ForestLayout:
    """Rows, blocks of panels and their sizes in inches."""

    def __init__(self, report: SubgroupReport, keys: Sequence[MetricKey]) -> None:
        self.report = report
        size = math.ceil(len(keys) / math.ceil(len(keys) / _PANELS_PER_BLOCK))
        self.blocks = [keys[start : start + size] for start in range(0, len(keys), size)]

    @cached_property
    def rows(self) -> list[_Row]:
        rows = []
        for column, groups in self.report.by_column().items():
            rows.append(_Row(display_name(column), None))
            rows += [_Row(_group_label(group), group) for group in groups]
        return rows

    @cached_property
    def row_height(self) -> float:
        return max(text_height(row.label, SMALL_FONT_SIZE) for row in self.rows) + 0.5 * _MARGIN

    @cached_property
    def left(self) -> float:
        return (
            max(text_width(row.label, SMALL_FONT_SIZE, bold=row.group is None) for row in self.rows)
            + 3 * _MARGIN
        )

    @property
    def width(self) -> float:
        panels = max(map(len, self.blocks))
        return self.left + panels * (_PANEL_WIDTH + _PANEL_GAP)

    @property
    def panel_height(self) -> float:
        return self.row_height * len(self.rows)

    def titles(self, keys: Sequence[MetricKey]) -> list[str]:
        return [
            wrap_text(format_metric(*key), _PANEL_WIDTH, NORMAL_FONT_SIZE, bold=True, max_lines=3)
            for key in keys
        ]

    def title_height(self, keys: Sequence[MetricKey]) -> float:
        titles = max(text_height(title, NORMAL_FONT_SIZE) for title in self.titles(keys))
        return titles + text_height("", SMALL_FONT_SIZE) + 3 * _MARGIN

    @property
    def note(self) -> str:
        percent = f"{100 * self.report.confidence:g} %"
        text = (
            f"Group minus all other images, with {percent} interval over lesions. Filled: p below {FAMILY_ALPHA} after "
            f"Holm's correction for {pluralize(self.report.n_tests, 'test')}. Gray: fewer than {MIN_GROUP_LESIONS} "
            f"lesions, not tested. {RESEARCH_USE_NOTICE}"
        )
        return wrap_text(text, self.width - 2 * _MARGIN, SMALL_FONT_SIZE)

    @property
    def height(self) -> float:
        blocks = sum(self.title_height(keys) + self.panel_height + _AXIS_HEIGHT for keys in self.blocks)
        return blocks + text_height(self.note, SMALL_FONT_SIZE) + 2 * _MARGIN


def _group_label(group: Subgroup) -> str:
    label = f"{display_name(group.name)} ({pluralize(group.n_lesions, 'lesion')})"
    return wrap_text(label, _MAX_LABEL_WIDTH, SMALL_FONT_SIZE, max_lines=2)


@figure_style()
def draw_subgroup_forest(report: SubgroupReport, keys: Sequence[MetricKey] = ()) -> Figure:
    """Plot the difference of each group from all other images, with its interval, in one panel per metric.

    Parameters
    ----------
    report
        Results by subgroup (`read_subgroups` reads them from a file).
    keys
        Metrics and scopes to show; default: all of the report.
    """
    layout = _ForestLayout(report, tuple(keys) or report.keys)
    figure = Figure(figsize=(layout.width, layout.height), dpi=FIGURE_DPI)
    top = 0.0
    for block in layout.blocks:
        top += layout.title_height(block)
        titles = layout.titles(block)
        for index, (key, title) in enumerate(zip(block, titles, strict=True)):
            left = layout.left + index * (_PANEL_WIDTH + _PANEL_GAP)
            axes = place_axes(figure, left=left, top=top, width=_PANEL_WIDTH, height=layout.panel_height)
            _plot_metric(axes, layout.rows, key)
            axes.set_title(
                title, fontsize=NORMAL_FONT_SIZE, fontweight="bold", loc="left",
                pad=72 * (text_height("", SMALL_FONT_SIZE) + _MARGIN),
            )  # fmt: skip
            if index == 0:
                _label_rows(axes, layout.rows)
        top += layout.panel_height + _AXIS_HEIGHT
    place_text(
        figure, layout.note, left=_MARGIN, top=top + _MARGIN, fontsize=SMALL_FONT_SIZE, fontstyle="italic",
        color="dimgray",
    )  # fmt: skip
    return figure


def _plot_metric(axes: Axes, rows: Sequence[_Row], key: MetricKey) -> None:
    axes.axvline(0, color=MUTED_COLOR, linewidth=0.7)
    reach = _panel_reach(rows, key)
    for position, row in enumerate(rows):
        if row.group is None or math.isnan((metric := row.group.metric(key)).difference):
            continue
        bounds = np.clip([metric.difference_low, metric.difference_high], -2 * reach, 2 * reach)
        axes.plot(bounds, [position, position], color=BLUE, linewidth=1.2, solid_capstyle="butt")
        color = BLUE if row.group.n_lesions >= MIN_GROUP_LESIONS else _UNTESTED_COLOR
        axes.plot(
            np.clip(metric.difference, -reach, reach), position, "o", color=color, markersize=3.5, clip_on=False,
            markerfacecolor=color if metric.is_significant else "white",
        )  # fmt: skip
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    for x, text, side in ((0, "← lower", "left"), (1, "higher →", "right")):
        axes.annotate(
            text, (x, 1), xycoords="axes fraction", xytext=(0, 2), textcoords="offset points", ha=side, va="bottom",
            fontsize=SMALL_FONT_SIZE, color="dimgray",
        )  # fmt: skip
    set_plain_ticks(axes.xaxis, max_ticks=4)
    axes.tick_params(axis="x", labelsize=SMALL_FONT_SIZE, length=2, width=0.5)
    axes.grid(axis="x", color=GRID_COLOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.5)


def _panel_reach(rows: Sequence[_Row], key: MetricKey) -> float:
    """Return the largest absolute difference, or more to show most of the intervals."""
    metrics = [row.group.metric(key) for row in rows if row.group is not None]
    differences = [abs(metric.difference) for metric in metrics if not math.isnan(metric.difference)]
    bounds = [abs(number) for metric in metrics for number in (metric.difference_low, metric.difference_high)]
    bounds = [bound for bound in bounds if not math.isnan(bound)]
    most = float(np.quantile(bounds, _REACH_QUANTILE)) if bounds else 0.0
    tested = [abs(metric.difference) for metric in metrics if not math.isnan(metric.difference_low)]
    return 1.08 * (max([*(tested or differences), most], default=0.0) or 0.01)


def _label_rows(axes: Axes, rows: Sequence[_Row]) -> None:
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=SMALL_FONT_SIZE)
    axes.tick_params(axis="y", length=0)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.group is None else "normal")


def write_subgroup_figure(folder: Path | str, report: SubgroupReport) -> list[Path]:
    """Write ``subgroups.png`` and ``subgroups.svg`` to a folder and return their paths.

    Warns
    -----
    UserWarning
        Characters are in no installed font, so that the png file shows boxes instead.
    """
    figure = draw_subgroup_forest(report)
    written = []
    for suffix in ("png", "svg"):
        path = Path(folder) / f"subgroups.{suffix}"
        with atomic_write(path) as temporary:
            save_figure(figure, temporary, suffix=suffix)
        written.append(path)
    warn_about_missing_glyphs(figure_text(figure), "PNG")
    return written
