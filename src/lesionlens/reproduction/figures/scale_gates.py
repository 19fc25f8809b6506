"""Figure of scale gates over the epochs, with the maps of their stages (Zhang et al. 2019, Fig. 7)."""

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
from lesionlens.reproduction.figures.image_grid import GridCell, draw_cell
from lesionlens.reproduction.figures.image_selection import SelectedImage, select_images
from lesionlens.reproduction.planner import RunCell, TableResults

SCALE_PREFIXES = ("alpha/", "gamma/")
SCALE_PANEL_INCHES = 1.9
MIN_EPOCHS_FOR_LINE = 3  # fewer epochs are plotted as points
SCALES_CAPTION = (
    "Above: the attention map of the last block of the gate's stage for one test image and the first run, averaged "
    "over channels and scaled separately. Below: the gate over the epochs, each with its own axis."
)


def attention_scale_curves(results: TableResults) -> FigureDraft | None:
    """Plot the gates of the first panel that has runs, with the map of its stage above each.

    Raises
    ------
    LesionLensError
        A run's log, model or image cannot be read, or its network has no scale gates.
    """
    panels, notes = panels_with_runs(results)
    spec = results.spec.figure
    if not panels or spec is None:
        return None
    panel = panels[0]
    logs = [_read_log(cell) for cell in panel.cells]
    requested = {results.local_map_name(name): title for name, title in spec.attention_scales.items()}
    titles, replacements = _available_columns(requested, logs, panel.title)
    selection = select_images([panel], spec.image_selection, 1)
    figsize = (SCALE_PANEL_INCHES * (len(titles) + 1), 1.7 * SCALE_PANEL_INCHES + 0.2)
    figure = Figure(figsize=figsize, layout="constrained")
    grid = figure.subplots(2, len(titles) + 1, squeeze=False, height_ratios=[0.75, 1])
    _draw_images(grid[0], panel, selection.images[0], list(titles))
    for axes, (column, title) in zip(grid[1, 1:], titles.items(), strict=True):
        _draw_curves(axes, logs, column)
        style_axes(axes, title=title, x_label="epoch", y_label="α" if column.startswith("alpha") else "γ")
    _draw_legend(grid[1, 0], grid[1, 1], panel.title)
    return FigureDraft(figure, f"{spec.caption} {SCALES_CAPTION}", (*notes, *selection.notes, *replacements))


def _read_log(cell: RunCell) -> pd.DataFrame:
    try:
        return pd.read_csv(cell.run_dir.metrics_csv).set_index("epoch")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read the epochs of the run {cell.run_dir.path}: {error}") from error


def _available_columns(
    requested: dict[str, str], logs: Sequence[pd.DataFrame], row: str
) -> tuple[dict[str, str], list[str]]:
    """Return the requested columns with their titles, and notes on replaced and missing ones.

    A small network has fewer blocks per stage: the last one of a stage replaces those that it lacks.
    """
    common = [str(name) for name in logs[0] if all(name in log for log in logs)]
    last = {
        _stage_name(name): name
        for name in common
        if name.startswith(SCALE_PREFIXES) and logs[0][name].notna().any()
    }
    if not last:
        raise RunError(f"the log of {row} has no scale gates, columns alpha/… or gamma/…")
    titles: dict[str, str] = {}
    notes = []
    for name, title in requested.items():
        column = name if name in common else last.get(_stage_name(name))
        if column is None:
            notes.append(f"{row} has no gate {_block_name(name)} here.")
        elif column != name:
            notes.append(f"{row} has no gate {_block_name(name)} here; {_block_name(column)} is shown.")
        if column is not None:
            titles[column] = f"{title} ({_block_name(column)})"
    return titles or {name: _block_name(name) for name in last.values()}, notes


def _block_name(column: str) -> str:
    return column.partition("/")[2]


def _stage_name(column: str) -> str:
    return _block_name(column).split(".")[0]


def _draw_curves(axes: Axes, logs: Sequence[pd.DataFrame], column: str) -> None:
    """Plot a thin line per run and a thick one for their mean, over the epochs that all runs reached."""
    for number, log in enumerate(logs if len(logs) > 1 else ()):
        axes.plot(log.index, log[column], color=MUTED_COLOR, linewidth=0.7, label="" if number else "runs")
    mean = pd.concat([log[column] for log in logs], axis=1, join="inner").mean(axis=1)
    marker = "o" if len(mean) < MIN_EPOCHS_FOR_LINE else ""  # a line would be too short to see
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
    """Show the image, then its overlay with the map of each gate's stage; nothing for a stage without a map."""
    loaded = load_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    try:
        explanation = explain_with_own_maps(loaded, selected)
    except ModelError as error:
        raise RunError(f"the gates of {panel_runs.title} have no maps to show: {error}") from error
    draw_cell(axes_row[0], GridCell(explanation.image, selected.caption), max_chars=24)
    for axes, column in zip(axes_row[1:], columns, strict=True):
        overlay = explanation.overlays.get(_stage_name(column))
        draw_cell(
            axes,
            None if overlay is None else GridCell(overlay, f"map of {display_name(_stage_name(column))}"),
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
