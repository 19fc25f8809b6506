"""Figures of a report: learning curves, attention scales and class balance, and their conversion to SVG."""

import math
import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from lesionlens.core.figure_style import (
    BLUE,
    GREEN,
    MIN_EPOCHS_FOR_LINE,
    MUTED_COLOR,
    NORMAL_FONT_SIZE,
    ORANGE,
    SMALL_FONT_SIZE,
    add_titles,
    figure_style,
    legend_height,
    place_axes,
    place_legend,
    save_figure,
    set_plain_ticks,
    style_axes,
    style_epoch_axis,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, text_width, wrap_text
from lesionlens.evaluation.formatting import display_name

SPLIT_COLORS = {
    "train": "#A9CCE3",
    "validation": ORANGE,
    "test": "#00436B",
}  # light, medium and dark, for print

_CURVES = {
    "Loss": {"train_loss": ("training", MUTED_COLOR, "--"), "val_loss": ("validation", BLUE, "-")},
    "Validation metrics": {
        "val_auc": ("AUC", BLUE, "-"),
        "val_balanced_accuracy": ("balanced accuracy", ORANGE, "--"),
    },
    "Learning rate": {"lr": ("learning rate", MUTED_COLOR, "-")},
}
_CURVE_PANEL, _SCALE_PANEL = 2.55, 2.05  # inches: width of a panel with its axis labels
_CURVE_INCHES = 2.0  # height of a panel with its title and axis labels
_TICK_INCHES = 0.7  # of them, at most, for the labels of the vertical axis
_MAX_STAGES_PER_ROW, _MAX_LABELED_BLOCKS = 4, 6
_BAR_INCHES, _BAR_ROW = 2.9, 0.3  # length of the longest bar, and least height of a row
_MAX_CLASS_WIDTH = 2.0  # inches, of the names of classes
_MARGIN = 0.06  # inches


@figure_style()
def learning_curve_plot(log: pd.DataFrame, *, selected_epoch: int | None = None) -> Figure:
    """Plot loss, validation metrics and learning rate against the epoch.

    Parameters
    ----------
    log
        Training log with the column ``epoch`` (from 1) and any of ``train_loss``, ``val_loss``, ``val_auc``,
        ``val_balanced_accuracy`` and ``lr``.
    selected_epoch
        Epoch to mark: the one whose weights were saved.
    """
    panels = {title: curves for title, lines in _CURVES.items() if (curves := _recorded_curves(log, lines))}
    figure = Figure(layout="constrained")
    titles = {}
    for number, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        titles[axes] = title
        for column, (name, color, dashes) in lines.items():
            label = name if len(lines) > 1 else None
            style = {"color": color, "linestyle": dashes, **_curve_style(log)}
            axes.plot(log["epoch"], log[column], label=label, **style)
        _style_curve_axes(axes, log)
        if selected_epoch is not None:
            label = "selected epoch" if number == 1 else None
            axes.axvline(selected_epoch, color=GREEN, linewidth=1, dashes=(1, 1.5), label=label)
    legend_inches = add_titles(titles, width=_CURVE_PANEL - _TICK_INCHES)
    figure.set_size_inches(_CURVE_PANEL * max(1, len(panels)), _CURVE_INCHES + legend_inches)
    return figure


_SCALE_SYMBOLS = {"alpha/": "α, ", "gamma/": "γ, "}


@figure_style()
def attention_scale_plot(log: pd.DataFrame) -> Figure | None:
    """Plot the attention scales against the epoch, one panel per stage (Zhang et al. 2019, Fig. 7).

    As in the paper, each panel has its own axis, because the stages differ by orders of magnitude.
    None if the log has no column ``alpha/<layer>.<block>`` or ``gamma/<module>``.
    """
    columns = [
        name for name in map(str, log) if name.startswith(tuple(_SCALE_SYMBOLS)) and log[name].notna().any()
    ]
    if not columns:
        return None
    stages: dict[str, list[str]] = {}
    for name in columns:
        stages.setdefault(name.split(".")[0], []).append(name)
    across = min(_MAX_STAGES_PER_ROW, len(stages))
    down = math.ceil(len(stages) / across)
    width = _SCALE_PANEL - _TICK_INCHES
    figure = Figure(layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(stages) :]:
        axes.set_visible(False)
    titles = {}
    for axes, (stage, names) in zip(grid.flat, stages.items(), strict=False):
        _plot_stage(axes, log, names)
        titles[axes] = wrap_text(_stage_title(stage), width, NORMAL_FONT_SIZE, max_lines=2)
    legend_inches = add_titles(titles, width=width)
    figure.set_size_inches(_SCALE_PANEL * across, (_CURVE_INCHES + legend_inches) * down)
    return figure


def _plot_stage(axes: Axes, log: pd.DataFrame, names: list[str]) -> None:
    """Plot the scales of the blocks of one stage."""
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.8, len(names)))
    # neighbors of many blocks differ too little in color for a legend of all
    labeled = {names[round(index)] for index in np.linspace(0, len(names) - 1, _MAX_LABELED_BLOCKS)}
    for name, shade in zip(names, shades, strict=True):
        label = f"block {name.rpartition('.')[2]}" if len(names) > 1 and name in labeled else None
        axes.plot(log["epoch"], log[name], color=shade, label=label, **_curve_style(log))
    _style_curve_axes(axes, log)


def _stage_title(stage: str) -> str:
    """Return the title of a stage, the part of a column's name before the block."""
    kind, _, module = stage.partition("/")
    return _SCALE_SYMBOLS[f"{kind}/"] + module.replace("layer", "stage ").replace("soft", "soft attention")


@figure_style()
def class_balance_plot(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Plot the number of images of each class as stacked bars, one color per split.

    Parameters
    ----------
    counts
        Number of images by split and class; classes are ordered as in the first split.
    """
    splits = {split: by_class for split, by_class in counts.items() if by_class}
    classes = list(dict.fromkeys(name for by_class in splits.values() for name in by_class))
    images = np.array([[by_class.get(name, 0) for name in classes] for by_class in splits.values()])
    names = [
        wrap_text(display_name(name), _MAX_CLASS_WIDTH, NORMAL_FONT_SIZE, max_lines=4) for name in classes
    ]
    row = max(_BAR_ROW, max(text_height(name, NORMAL_FONT_SIZE) for name in names) + _MARGIN)
    left = text_width("\n".join(names), NORMAL_FONT_SIZE) + 2 * _MARGIN
    right = text_width(f"{images.sum(axis=0).max():,}", SMALL_FONT_SIZE) + 2 * _MARGIN
    legend, height = legend_height([*splits], _BAR_INCHES) + _MARGIN, row * len(classes)
    size = (left + _BAR_INCHES + right, legend + height + 0.45)
    figure = Figure(figsize=size)
    axes = place_axes(figure, left=left, top=legend, width=_BAR_INCHES, height=height)
    bars = _stack_bars(axes, dict(zip(splits, images, strict=True)))
    axes.set_yticks(range(len(classes)), names, fontsize=NORMAL_FONT_SIZE, linespacing=LINE_SPACING)
    _style_bar_axes(axes, images.sum(axis=0))
    place_legend(figure, bars, [*splits], left=left, top=_MARGIN / 2, width=_BAR_INCHES)
    return figure


def _stack_bars(axes: Axes, images: Mapping[str, NDArray[np.int64]]) -> list[Artist]:
    """Plot a bar per class and split, with the number of images of the class at its end; return a bar per split."""
    total = np.zeros(len(next(iter(images.values()))))
    bars: list[Artist] = []
    for split, sizes in images.items():
        color = SPLIT_COLORS.get(split, MUTED_COLOR)
        bars.append(axes.barh(range(len(sizes)), sizes, left=total, color=color, height=0.7)[0])
        total = total + sizes
    for row, count in enumerate(total):
        axes.annotate(
            f"{count:,.0f}", (count, row), (72 * _MARGIN, 0), textcoords="offset points", va="center",
            fontsize=SMALL_FONT_SIZE,
        )  # fmt: skip
    return bars


def _style_bar_axes(axes: Axes, totals: NDArray[np.int64]) -> None:
    axes.set_ylim(len(totals) - 0.5, -0.5)
    axes.set_xlim(0, totals.max() or 1)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("images", fontsize=NORMAL_FONT_SIZE)
    axes.tick_params(axis="x", labelsize=SMALL_FONT_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _curve_style(log: pd.DataFrame) -> dict[str, Any]:
    """Return the line style; few epochs have markers, because a line would be invisible or too short."""
    marker = "o" if len(log) < MIN_EPOCHS_FOR_LINE else ""
    return {"linewidth": 1.4, "marker": marker, "markersize": 3}


def _recorded_curves(
    log: pd.DataFrame, lines: Mapping[str, tuple[str, str, str]]
) -> dict[str, tuple[str, str, str]]:
    return {column: style for column, style in lines.items() if column in log and log[column].notna().any()}


def _style_curve_axes(axes: Axes, log: pd.DataFrame) -> None:
    style_axes(axes)
    style_epoch_axis(axes, log["epoch"].tolist())
    set_plain_ticks(axes.yaxis)


_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def inline_svg(figure: Figure, *, name: str) -> Markup:
    """Return a figure as an ``<svg>`` element; text is not converted to paths, and the output is deterministic.

    Parameters
    ----------
    figure
        Figure to convert.
    name
        Prefix of every id inside the element, unique per figure of a page.
    """
    stream = StringIO()
    with rc_context({"svg.hashsalt": name}):
        save_figure(figure, stream, suffix="svg", metadata=_NO_METADATA, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{name}-", text)
    width = re.search(r'width="([\d.]+)pt"', text)
    assert width is not None, "matplotlib sets the width of every SVG"
    # the page scales the figure, up to 1.35 times its print size, and on small screens not below it
    print_width = float(width.group(1))
    size = f'style="max-width: {1.35 * print_width:.0f}pt; --print-width: {print_width:.0f}pt"'
    text = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" (.*?)width="[\d.]+pt"',
        rf"\1{size}",
        text,
        count=1,
    )
    return Markup(text)  # noqa: S704 - matplotlib escapes its text
