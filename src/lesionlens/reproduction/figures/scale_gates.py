"""Figure of scale gates over the epochs, with the maps of their blocks (Zhang et al. 2019, Fig. 7)."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.errors import ModelError, RunError
from lesionlens.core.figure_style import (
    FIGURE_DPI,
    LINE_COLORS,
    MIN_EPOCHS_FOR_LINE,
    MUTED_COLOR,
    NORMAL_FONT_SIZE,
    SMALL_FONT_SIZE,
    TEXT_COLOR,
    figure_style,
    place_axes,
    place_legend,
    place_text,
    set_plain_ticks,
    style_axes,
    style_epoch_axis,
)
from lesionlens.core.fonts import LINE_SPACING, text_height, wrap_text
from lesionlens.evaluation.formatting import display_name
from lesionlens.models.map_titles import FEATURE_MAP_PREFIX
from lesionlens.models.saved_model import load_saved_model
from lesionlens.reproduction.figures.attention_maps import explain_selected
from lesionlens.reproduction.figures.base import (
    FOOTER_INCHES,
    MARGIN_INCHES,
    CaptionedFigure,
    PanelRuns,
    panels_with_runs,
)
from lesionlens.reproduction.figures.image_grid import GridCell, draw_cell
from lesionlens.reproduction.figures.image_selection import SelectedImage, select_images
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.run_log import SCALE_PREFIXES, block_name, read_run_log, stage_name

SCALE_PANEL_INCHES = 1.95  # width of a column
SCALE_PLOT_INCHES, SCALE_TICK_INCHES = 1.1, 0.35  # side of an image and of a plot; height of epochs below it
CAPTION_INCHES = 0.45  # above the images
SCALES_CAPTION = (
    "Above: the attention feature map of the gate's block (mask times identity) for one test image and the first run, "
    "averaged over channels and scaled separately. Below: the gate over the epochs, each with its own axis."
)


def attention_scale_curves(results: TableResults) -> CaptionedFigure | None:
    """Plot the gates of the first panel that has runs, with the attention feature map of its block above each.

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
    logs = [read_run_log(cell) for cell in panel.cells]
    requested = {results.local_map_name(name): title for name, title in spec.attention_scales.items()}
    titles, replacements = _available_columns(requested, logs, panel.title)
    selection = select_images([panel], spec.image_selection, 1)
    figure = draw_scale_gates(
        titles, logs, _block_cells(panel, selection.images[0], list(titles)), panel.title
    )
    return CaptionedFigure(
        figure, f"{spec.caption} {SCALES_CAPTION}", (*notes, *selection.notes, *replacements)
    )


@figure_style()
def draw_scale_gates(
    titles: dict[str, str], logs: Sequence[pd.DataFrame], cells: Sequence[GridCell | None], row: str
) -> Figure:
    """Draw the image and the maps above, the legend and the curves below."""
    wrapped = [
        wrap_text(title, SCALE_PLOT_INCHES + MARGIN_INCHES, NORMAL_FONT_SIZE, max_lines=4)
        for title in titles.values()
    ]
    title_inches = max(text_height(title, NORMAL_FONT_SIZE) for title in wrapped) + 3 * MARGIN_INCHES
    top = CAPTION_INCHES + SCALE_PLOT_INCHES + title_inches
    size = (SCALE_PANEL_INCHES * len(cells), top + SCALE_PLOT_INCHES + SCALE_TICK_INCHES + FOOTER_INCHES)
    figure = Figure(figsize=size, dpi=FIGURE_DPI)
    for number, cell in enumerate(cells):
        left = SCALE_PANEL_INCHES * (number + 1) - SCALE_PLOT_INCHES - 2 * MARGIN_INCHES
        place = {"left": left, "width": SCALE_PLOT_INCHES, "height": SCALE_PLOT_INCHES}
        draw_cell(place_axes(figure, top=CAPTION_INCHES, **place), cell, width=SCALE_PLOT_INCHES)
        if number:
            column = list(titles)[number - 1]
            axes = place_axes(figure, top=top, **place)
            _draw_curves(axes, logs, column)
            style_axes(axes, x_label="epoch", y_label="α" if column.startswith("alpha") else "γ")
            axes.set_title(
                wrapped[number - 1],
                fontsize=NORMAL_FONT_SIZE,
                loc="left",
                color=TEXT_COLOR,
                linespacing=LINE_SPACING,
            )
    _draw_legend(figure, row, top=top)
    return figure


def _available_columns(
    requested: dict[str, str], logs: Sequence[pd.DataFrame], row: str
) -> tuple[dict[str, str], list[str]]:
    """Return the requested columns with their titles, and notes on replaced and missing ones.

    A small network has fewer blocks per stage: the last one of a stage replaces those that it lacks.
    """
    common = [str(name) for name in logs[0] if all(name in log for log in logs)]
    last = {
        stage_name(name): name
        for name in common
        if name.startswith(SCALE_PREFIXES) and logs[0][name].notna().any()
    }
    if not last:
        raise RunError(f"the log of {row} has no scale gates, columns alpha/… or gamma/…")
    titles: dict[str, str] = {}
    notes = []
    for name, title in requested.items():
        column = name if name in common else last.get(stage_name(name))
        if column is None:
            notes.append(f"{row} has no gate {block_name(name)} here.")
        elif column != name:
            notes.append(f"{row} has no gate {block_name(name)} here; {block_name(column)} is shown.")
        if column is not None:
            titles[column] = f"{title} ({block_name(column)})"
    return titles or {name: block_name(name) for name in last.values()}, notes


def _draw_curves(axes: Axes, logs: Sequence[pd.DataFrame], column: str) -> None:
    """Plot a thin line per run and a thick one for their mean, over the epochs that all runs reached."""
    for number, log in enumerate(logs if len(logs) > 1 else ()):
        axes.plot(log.index, log[column], color=MUTED_COLOR, linewidth=0.7, label="" if number else "runs")
    mean = pd.concat([log[column] for log in logs], axis=1, join="inner").mean(axis=1)
    marker = "o" if len(mean) < MIN_EPOCHS_FOR_LINE else ""  # a line would be too short to see
    name = "mean of runs" if len(logs) > 1 else "run"
    axes.plot(mean.index, mean, color=LINE_COLORS[0], linewidth=1.5, marker=marker, markersize=3, label=name)
    style_epoch_axis(axes, sorted({epoch for log in logs for epoch in log.index}))
    set_plain_ticks(axes.yaxis)


def _block_cells(
    panel_runs: PanelRuns, selected: SelectedImage, columns: Sequence[str]
) -> list[GridCell | None]:
    """Return the image, then its overlay with the map of each gate's block; None for a gate without a map."""
    loaded = load_saved_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    has_blocks = any(column.startswith(SCALE_PREFIXES[0]) for column in columns)
    try:
        explanation = explain_selected(loaded, selected, "attention-features" if has_blocks else "attention")
    except ModelError as error:
        raise RunError(f"the gates of {panel_runs.title} have no maps to show: {error}") from error
    blocks = [block_name(column) if has_blocks else stage_name(column) for column in columns]
    names = [f"{FEATURE_MAP_PREFIX}{block}" if has_blocks else block for block in blocks]
    return [
        GridCell(explanation.image, selected.caption),
        *(
            GridCell(explanation.overlays[name], f"map of {display_name(block)}")
            if name in explanation.overlays
            else None
            for name, block in zip(names, blocks, strict=True)
        ),
    ]


def _draw_legend(figure: Figure, title: str, *, top: float) -> None:
    """Write the name of the row and the legend of the curves in the first column."""
    curves = next(axes for axes in figure.axes if axes.get_legend_handles_labels()[1])
    handles, labels = curves.get_legend_handles_labels()
    width = SCALE_PANEL_INCHES - SCALE_TICK_INCHES - 4 * MARGIN_INCHES
    title = wrap_text(title, width, SMALL_FONT_SIZE, max_lines=6)
    place_text(figure, title, left=2 * MARGIN_INCHES, top=top, fontsize=SMALL_FONT_SIZE)
    top += text_height(title, SMALL_FONT_SIZE) + MARGIN_INCHES
    place_legend(figure, handles, labels, left=2 * MARGIN_INCHES, top=top, width=width)
