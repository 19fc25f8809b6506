"""How scale gates went over the epochs, and the maps of their blocks (Zhang et al. 2019, Fig. 7)."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionlens.core.errors import ModelError, RunError
from lesionlens.evaluation.formatting import display_name
from lesionlens.models.saved_model import load_model
from lesionlens.reproduction.figures.attention_maps import explain_with_own_maps
from lesionlens.reproduction.figures.base import (
    LINE_COLORS,
    MUTED_COLOR,
    SMALL_FONT_SIZE,
    FigureDraft,
    PanelRuns,
    panels_with_runs,
    style_axes,
)
from lesionlens.reproduction.figures.image_grid import GridCell, SelectedImage, draw_cell, select_images
from lesionlens.reproduction.planner import RunCell, TableResults

SCALE_PREFIXES = ("alpha/", "gamma/")
SCALE_PANEL_INCHES = 1.9  # inches
MIN_EPOCHS_FOR_LINE = 3  # epochs
SCALES_CAPTION = (
    "Above: the attention map of the last block of the gate's stage, averaged over its channels and scaled by itself, "
    "of one test image and the first run. Below: the gate over the epochs, each on an axis of its own."
)


def attention_scale_curves(results: TableResults) -> FigureDraft | None:
    """Draw the gates of the first panel that has runs, above each the map of its stage.

    Raises
    ------
    LesionLensError
        A run's log, model or image cannot be read, or its network has no scale gates.
    """
    found, notes = panels_with_runs(results)
    figure = results.spec.figure
    if not found or figure is None:
        return None
    first = found[0]
    logs = [_read_log(cell) for cell in first.cells]
    shown, instead = _available_columns(
        {results.local_map_name(name): words for name, words in figure.attention_scales.items()},
        logs,
        first.title,
    )
    image = select_images([first], figure.image_selection, 1)
    drawn = Figure(
        figsize=(SCALE_PANEL_INCHES * (len(shown) + 1), 1.7 * SCALE_PANEL_INCHES + 0.2), layout="constrained"
    )
    grid = drawn.subplots(2, len(shown) + 1, squeeze=False, height_ratios=[0.75, 1])
    _draw_images(grid[0], first, image.images[0], list(shown))
    for axes, (column, words) in zip(grid[1, 1:], shown.items(), strict=True):
        _draw_curves(axes, logs, column)
        style_axes(axes, title=words, x_label="epoch", y_label="α" if column.startswith("alpha") else "γ")
    _draw_legend(grid[1, 0], grid[1, 1], first.title)
    return FigureDraft(drawn, f"{figure.caption} {SCALES_CAPTION}", (*notes, *image.notes, *instead))


def _read_log(cell: RunCell) -> pd.DataFrame:
    try:
        return pd.read_csv(cell.run_dir.metrics_csv).set_index("epoch")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read the epochs of the run {cell.run_dir.path}: {error}") from error


def _available_columns(
    requested: dict[str, str], logs: Sequence[pd.DataFrame], row: str
) -> tuple[dict[str, str], list[str]]:
    """Give columns that every log has with their titles, the nearest of those asked for, and what is otherwise.

    A small network has fewer blocks in a stage: its last one stands for those that it lacks.
    """
    common = [str(name) for name in logs[0] if all(name in log for log in logs)]
    last = {
        _stage_name(name): name
        for name in common
        if name.startswith(SCALE_PREFIXES) and logs[0][name].notna().any()
    }
    if not last:
        raise RunError(f"the log of {row} has no scale gates, columns alpha/… or gamma/…")
    shown: dict[str, str] = {}
    instead = []
    for name, words in requested.items():
        near = name if name in common else last.get(_stage_name(name))
        if near is None:
            instead.append(f"{row} has no gate {_block_name(name)} here.")
        elif near != name:
            instead.append(f"{row} has no gate {_block_name(name)} here; shown is {_block_name(near)}.")
        if near is not None:
            shown[near] = f"{words} ({_block_name(near)})"
    return shown or {name: _block_name(name) for name in last.values()}, instead


def _block_name(column: str) -> str:
    return column.partition("/")[2]


def _stage_name(column: str) -> str:
    return _block_name(column).split(".")[0]


def _draw_curves(axes: Axes, logs: Sequence[pd.DataFrame], column: str) -> None:
    """Draw a thin line for each run and a thick one for their mean, over the epochs that all reached."""
    for number, log in enumerate(logs if len(logs) > 1 else ()):
        axes.plot(log.index, log[column], color=MUTED_COLOR, linewidth=0.7, label="" if number else "runs")
    mean = pd.concat([log[column] for log in logs], axis=1, join="inner").mean(axis=1)
    marker = "o" if len(mean) < MIN_EPOCHS_FOR_LINE else ""  # no line would be seen
    name = "mean of runs" if len(logs) > 1 else "run"
    axes.plot(mean.index, mean, color=LINE_COLORS[0], linewidth=1.5, marker=marker, markersize=3, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if len(mean) < MIN_EPOCHS_FOR_LINE:
        axes.set_xlim(mean.index.min() - 0.5, mean.index.max() + 0.5)
        axes.set_xticks(list(mean.index))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _draw_images(
    axes_row: Sequence[Axes], panel_runs: PanelRuns, selected: SelectedImage, columns: Sequence[str]
) -> None:
    """Show the image, then over it the map of each gate's stage; nothing of a stage without a map."""
    loaded = load_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    try:
        seen = explain_with_own_maps(loaded, selected)
    except ModelError as error:
        raise RunError(f"the gates of {panel_runs.title} have no maps to show: {error}") from error
    draw_cell(axes_row[0], GridCell(seen.image, selected.caption), max_chars=24)
    for axes, column in zip(axes_row[1:], columns, strict=True):
        drawn = seen.overlays.get(_stage_name(column))
        draw_cell(
            axes,
            None if drawn is None else GridCell(drawn, f"map of {display_name(_stage_name(column))}"),
            max_chars=40,
        )


def _draw_legend(axes: Axes, curves: Axes, title: str) -> None:
    axes.set_axis_off()
    handles, labels = curves.get_legend_handles_labels()
    axes.legend(
        handles,
        labels,
        title=title,
        loc="center",
        fontsize=SMALL_FONT_SIZE,
        title_fontsize=SMALL_FONT_SIZE,
        frameon=False,
    )
