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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionlens.evaluation.formatting import display_name, figure_label

# distinguishable with color vision deficiency and in black and white (Okabe and Ito 2008)
_BLUE, _ORANGE, _GREEN, _GRAY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
SPLIT_COLORS = {"train": "#9CC4DE", "validation": "#E9A46A", "test": _BLUE}
_SMALL_FONT_SIZE, _FONT_SIZE = 7.0, 8.0  # points

_CURVES = {
    "Loss": {"train_loss": ("training", _GRAY), "val_loss": ("validation", _BLUE)},
    "Validation metrics": {
        "val_auc": ("AUC", _BLUE),
        "val_balanced_accuracy": ("balanced accuracy", _ORANGE),
    },
    "Learning rate": {"lr": ("learning rate", _GRAY)},
}


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
    figure = Figure(figsize=(2.55 * max(1, len(panels)), 2.2), layout="constrained")
    for number, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        for column, (name, color) in lines.items():
            axes.plot(log["epoch"], log[column], color=color, label=name, **_curve_style(log))
        _style_axes(axes, title)
        if selected_epoch is not None:
            axes.axvline(
                selected_epoch,
                color=_GREEN,
                linewidth=1,
                dashes=(3, 2),
                label="selected epoch" if number == 1 else None,
            )
        if number == 1 or len(lines) > 1:
            axes.legend(fontsize=_SMALL_FONT_SIZE, frameon=False)
    return figure


_SCALE_SYMBOLS = {"alpha/": "α, ", "gamma/": "γ, "}


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
    across = min(4, len(stages))
    down = math.ceil(len(stages) / across)
    figure = Figure(figsize=(2.05 * across, 2.2 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(stages) :]:
        axes.set_visible(False)
    for axes, (stage, names) in zip(grid.flat, stages.items(), strict=False):
        _plot_stage(axes, log, stage, names)
    return figure


def _plot_stage(axes: Axes, log: pd.DataFrame, stage: str, names: list[str]) -> None:
    """Plot the scales of the blocks of one stage."""
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.8, len(names)))
    for name, shade in zip(names, shades, strict=True):
        axes.plot(log["epoch"], log[name], color=shade, label=name.rpartition(".")[2], **_curve_style(log))
    kind, _, module = stage.partition("/")
    title = module.replace("layer", "stage ").replace("soft", "soft attention")
    _style_axes(axes, _SCALE_SYMBOLS[f"{kind}/"] + title)
    if len(names) > 1:
        axes.legend(
            title="block",
            title_fontsize=_SMALL_FONT_SIZE,
            fontsize=_SMALL_FONT_SIZE,
            frameon=False,
            ncols=2,
        )
    axes.yaxis.get_offset_text().set_fontsize(_SMALL_FONT_SIZE)


def class_balance_plot(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Plot the number of images of each class as stacked bars, one color per split.

    Parameters
    ----------
    counts
        Number of images by split and class; classes are ordered as in the first split.
    """
    splits = {split: by_class for split, by_class in counts.items() if by_class}
    classes = list(dict.fromkeys(name for by_class in splits.values() for name in by_class))
    figure = Figure(figsize=(4.6, 0.3 * len(classes) + 0.75), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(classes))
    for split, by_class in splits.items():
        images = np.array([by_class.get(name, 0) for name in classes])
        color = SPLIT_COLORS.get(split, _GRAY)
        axes.barh(range(len(classes)), images, left=left, color=color, label=split, height=0.7)
        left += images
    for row, total in enumerate(left):
        axes.text(total + left.max() * 0.01, row, f"{total:,.0f}", va="center", fontsize=_SMALL_FONT_SIZE)
    axes.set_yticks(
        range(len(classes)), [figure_label(display_name(name)) for name in classes], fontsize=_FONT_SIZE
    )
    axes.invert_yaxis()
    axes.set_xlim(0, left.max() * 1.1 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("images", fontsize=_FONT_SIZE)
    axes.tick_params(axis="x", labelsize=_SMALL_FONT_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(fontsize=_SMALL_FONT_SIZE, frameon=False, loc="lower right")
    return figure


def _curve_style(log: pd.DataFrame) -> dict[str, Any]:
    """Return the line style; one or two epochs have markers, because a line would be invisible or too short."""
    return {"linewidth": 1.4, "marker": "o" if len(log) < 3 else "", "markersize": 3}


def _recorded_curves(log: pd.DataFrame, lines: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {column: style for column, style in lines.items() if column in log and log[column].notna().any()}


def _style_axes(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=_FONT_SIZE, loc="left")
    axes.set_xlabel("epoch", fontsize=_SMALL_FONT_SIZE)
    axes.tick_params(labelsize=_SMALL_FONT_SIZE)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


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
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata=_NO_METADATA, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{name}-", text)
    width = re.search(r'width="([\d.]+)pt"', text)
    assert width is not None, "matplotlib sets the width of every SVG"
    # the page scales the figure, up to 1.35 times its print size
    size = f'style="max-width: {1.35 * float(width.group(1)):.0f}pt"'
    text = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" (.*?)width="[\d.]+pt"',
        rf"\1{size}",
        text,
        count=1,
    )
    return Markup(text)  # noqa: S704 - matplotlib escapes its text
