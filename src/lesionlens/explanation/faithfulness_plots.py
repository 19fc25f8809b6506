"""Figure of an evaluation of faithfulness: one panel per measure, one line per map, controls below."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    BLUE,
    FIGURE_DPI,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    figure_style,
    place_axes,
    place_text,
    save_figure,
    set_plain_ticks,
    style_axes,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import text_height, text_width
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.explanation.faithfulness_result import (
    LOWER_IS_BETTER,
    MEASURE_TITLES,
    MEASURES,
    FaithfulnessResult,
)
from lesionlens.explanation.map_controls import CONTROLS

_PANEL_WIDTH, _PANEL_GAP, _LINE_HEIGHT = 1.35, 0.2, 0.2  # inches
_MARGIN, _TITLE_HEIGHT, _AXIS_HEIGHT = 0.1, 0.4, 0.35


@figure_style()
def draw_faithfulness(result: FaithfulnessResult) -> Figure:
    """Plot the mean of each measure of each map with its interval; controls, which ignore the network, are gray."""
    names = result.map_names
    measures = [name for name in MEASURES if any(item.metric == name for item in result.estimates)]
    left = _MARGIN + max(text_width(name, SMALL_FONT_SIZE) for name in names) + 0.15
    width = left + len(measures) * (_PANEL_WIDTH + _PANEL_GAP)
    height = len(names) * _LINE_HEIGHT
    note = f"Mean over {len(result.images)} images, 95 % intervals over lesions. Gray: controls. {RESEARCH_USE_NOTICE}"
    bottom = _TITLE_HEIGHT + height + _AXIS_HEIGHT
    figure = Figure(figsize=(width, bottom + text_height("", SMALL_FONT_SIZE) + _MARGIN), dpi=FIGURE_DPI)
    for index, measure in enumerate(measures):
        axes = place_axes(
            figure,
            left=left + index * (_PANEL_WIDTH + _PANEL_GAP),
            top=_TITLE_HEIGHT,
            width=_PANEL_WIDTH,
            height=height,
        )
        _plot_measure(axes, result, measure)
        axes.set_yticks(
            range(len(names)), names if index == 0 else [""] * len(names), fontsize=SMALL_FONT_SIZE
        )
        axes.set_ylim(len(names) - 0.5, -0.5)
    place_text(figure, note, left=_MARGIN, top=bottom, fontsize=SMALL_FONT_SIZE)
    return figure


def _plot_measure(axes: Axes, result: FaithfulnessResult, measure: str) -> None:
    style_axes(axes)
    for row, name in enumerate(result.map_names):
        estimate = result.estimate(name, measure)
        if estimate is not None:
            color = MUTED_COLOR if name in CONTROLS else BLUE
            axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=1.2)
            axes.plot(estimate.value, row, "o", color=color, markersize=4)
    arrow = "lower is better" if measure in LOWER_IS_BETTER else "higher is better"
    axes.set_title(f"{MEASURE_TITLES[measure]}\n({arrow})", fontsize=SMALL_FONT_SIZE, loc="left")
    set_plain_ticks(axes.xaxis, max_ticks=4)


def write_faithfulness_figure(folder: Path, result: FaithfulnessResult) -> None:
    """Write ``faithfulness.png`` and ``faithfulness.svg`` to a folder."""
    figure = draw_faithfulness(result)
    for suffix in ("png", "svg"):
        with atomic_write(folder / f"faithfulness.{suffix}") as temporary:
            save_figure(figure, temporary, suffix=suffix)
