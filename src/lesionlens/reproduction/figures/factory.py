"""Rendering of the figure that a table specifies."""

from collections.abc import Callable, Mapping
from pathlib import Path

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.reproduction.figures.attention_maps import attention_maps_figure, crop_weights_figure
from lesionlens.reproduction.figures.base import CaptionedFigure, WrittenFigure, write_figure
from lesionlens.reproduction.figures.class_counts import class_counts_figure
from lesionlens.reproduction.figures.dot_plot import dot_plot
from lesionlens.reproduction.figures.preprocessing import preprocessing_figure
from lesionlens.reproduction.figures.roc import mean_roc_figure
from lesionlens.reproduction.figures.scale_gates import attention_scale_curves
from lesionlens.reproduction.figures.sweep import sweep_figure
from lesionlens.reproduction.outcome import counted_synthetic_data
from lesionlens.reproduction.planner import TableResults

FIGURE_BUILDERS: Mapping[str, Callable[[TableResults], CaptionedFigure | None]] = {
    "roc": mean_roc_figure,
    "attention-scales": attention_scale_curves,
    "maps": attention_maps_figure,
    "crops": crop_weights_figure,
    "sweep": sweep_figure,
    "preprocessing": preprocessing_figure,
    "class-counts": class_counts_figure,
}


def render_figure(results: TableResults, folder: Path) -> list[WrittenFigure]:
    """Render the figure of a table from its finished runs; of a table without a figure, a dot plot of its values.

    Parameters
    ----------
    results
        The table and its runs; the figure's note lists unfinished ones.
    folder
        Folder for ``<kind>.png`` and, of plots, ``<kind>.svg``.

    Returns
    -------
    list of WrittenFigure
        Empty if no run is finished.

    Raises
    ------
    LesionLensError
        A run or its data cannot be read, or lacks what the figure needs.
    """
    figure = results.spec.figure
    kind = figure.kind if figure else "dots"
    captioned = FIGURE_BUILDERS[kind](results) if figure else dot_plot(results)
    return [write_figure(captioned, folder, kind, footer=_footer(results))] if captioned else []


def _footer(results: TableResults) -> str:
    """Return the research-use notice, and whether images are synthetic and networks small."""
    finished = [cell for cell in results.cells if cell.state == "finished"]
    synthetic = counted_synthetic_data(results) or any(
        cell.run_dir.metadata().get("data", {}).get("synthetic_data_notice") for cell in finished
    )
    small_network = f"Profile {results.profile}: a small network replaces each named network."
    profile = "" if results.profile == "paper" or not results.cells else small_network
    return " ".join(filter(None, (RESEARCH_USE_NOTICE, "Synthetic images." if synthetic else "", profile)))
