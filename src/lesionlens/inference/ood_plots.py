"""Figures of an evaluation of detectors: AUROC by kind of images, and examples of each kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    LINE_COLORS,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    figure_style,
    figure_text,
    legend_height,
    place_axes,
    place_legend,
    place_text,
    save_figure,
    style_axes,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import text_height, text_width, wrap_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import display_name
from lesionlens.inference.ood_report import OODReport
from lesionlens.synthesis.unknown_images import RGBImage

_PANEL_WIDTH, _LINE_HEIGHT = 3.2, 0.26  # inches
_MARGIN, _AXIS_HEIGHT = 0.1, 0.4
_MAX_LABEL_WIDTH = 1.9
_EXAMPLE_INCHES, _EXAMPLE_GAP = 0.62, 0.06
_MARKERS = ("o", "s", "^", "x")


@figure_style()
def draw_ood_report(report: OODReport) -> Figure:
    """Plot the AUROC of each detector on each kind of images, with its interval, and the line of chance."""
    labels = _labels(report.kinds)
    left = _MARGIN + text_width("\n".join(labels), SMALL_FONT_SIZE) + 0.12
    height = _LINE_HEIGHT * len(labels)
    width = left + _PANEL_WIDTH + 2 * _MARGIN
    note = wrap_text(
        "AUROC of unknown against known images with 95 % interval; dashed: chance. " + RESEARCH_USE_NOTICE,
        width - 2 * _MARGIN,
        SMALL_FONT_SIZE,
    )
    legend_top = _MARGIN + height + _AXIS_HEIGHT
    note_top = legend_top + legend_height(report.detectors, width - 2 * _MARGIN) + _MARGIN
    figure = Figure(figsize=(width, note_top + text_height(note, SMALL_FONT_SIZE) + _MARGIN), dpi=FIGURE_DPI)
    axes = place_axes(figure, left=left, top=_MARGIN, width=_PANEL_WIDTH, height=height)
    style_axes(axes, x_label="AUROC")
    axes.axvline(0.5, color=MUTED_COLOR, linewidth=0.8, dashes=(4, 2))
    handles = [_plot_detector(axes, report, index) for index in range(len(report.detectors))]
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL_FONT_SIZE)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    place_legend(figure, handles, report.detectors, left=_MARGIN, top=legend_top, width=width - 2 * _MARGIN)
    place_text(figure, note, left=_MARGIN, top=note_top, fontsize=SMALL_FONT_SIZE)
    return figure


def _plot_detector(axes: Axes, report: OODReport, index: int) -> Artist:
    name, color = report.detectors[index], LINE_COLORS[index % len(LINE_COLORS)]
    offset = 0.17 * (index - (len(report.detectors) - 1) / 2)
    rows = np.arange(len(report.kinds)) + offset
    separations = [report.result(kind, name).separation for kind in report.kinds]
    low, high = np.array([separation.auroc_interval[:2] for separation in separations]).T
    axes.hlines(rows, low, high, color=color, linewidth=0.9)
    values = [separation.auroc for separation in separations]
    marker = _MARKERS[index % len(_MARKERS)]
    return axes.plot(values, rows, marker, color=color, markersize=3.2, linestyle="none")[0]


@figure_style()
def draw_ood_examples(examples: Mapping[str, Sequence[RGBImage]]) -> Figure:
    """Show some images of each kind, one row per kind."""
    labels = _labels(list(examples))
    left = _MARGIN + text_width("\n".join(labels), SMALL_FONT_SIZE) + 0.12
    columns = max(map(len, examples.values()))
    step = _EXAMPLE_INCHES + _EXAMPLE_GAP
    bottom = _MARGIN + step * len(labels)
    size = (left + columns * step + _MARGIN, bottom + text_height("", SMALL_FONT_SIZE) + 2 * _MARGIN)
    figure = Figure(figsize=size, dpi=FIGURE_DPI)
    for row, (label, images) in enumerate(zip(labels, examples.values(), strict=True)):
        top = _MARGIN + row * step
        place_text(figure, label, left=_MARGIN, top=top, fontsize=SMALL_FONT_SIZE)
        for column, image in enumerate(images):
            axes = place_axes(
                figure, left=left + column * step, top=top, width=_EXAMPLE_INCHES, height=_EXAMPLE_INCHES
            )
            axes.set_axis_off()
            axes.imshow(image, aspect="auto")
    place_text(figure, RESEARCH_USE_NOTICE, left=_MARGIN, top=bottom + _MARGIN, fontsize=SMALL_FONT_SIZE)
    return figure


def _labels(kinds: Sequence[str]) -> list[str]:
    return [wrap_text(display_name(kind), _MAX_LABEL_WIDTH, SMALL_FONT_SIZE, max_lines=2) for kind in kinds]


def write_ood_figures(folder: Path, report: OODReport, examples: Mapping[str, Sequence[RGBImage]]) -> None:
    """Write ``ood.png``, ``ood.svg`` and ``ood_examples.png`` to a folder."""
    figures = {"ood": draw_ood_report(report), "ood_examples": draw_ood_examples(examples)}
    for name, suffix in (("ood", "png"), ("ood", "svg"), ("ood_examples", "png")):
        with atomic_write(folder / f"{name}.{suffix}") as temporary:
            save_figure(figures[name], temporary, suffix=suffix)
    warn_about_missing_glyphs("".join(map(figure_text, figures.values())), "PNG")
