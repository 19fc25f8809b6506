"""What an experiment's figure asks for, drawn and written."""

from collections.abc import Callable, Mapping
from pathlib import Path

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.reproduction.figures.attention_maps import attention_maps_figure, crop_weights_figure
from lesionlens.reproduction.figures.base import FigureDraft, WrittenFigure, write_figure
from lesionlens.reproduction.figures.dot_plot import dot_plot
from lesionlens.reproduction.figures.preprocessing import preprocessing_figure
from lesionlens.reproduction.figures.roc import mean_roc_figure
from lesionlens.reproduction.figures.scale_gates import attention_scale_curves
from lesionlens.reproduction.figures.sweep import sweep_figure
from lesionlens.reproduction.planner import TableResults

FIGURE_BUILDERS: Mapping[str, Callable[[TableResults], FigureDraft | None]] = {
    "roc": mean_roc_figure,
    "attention-scales": attention_scale_curves,
    "maps": attention_maps_figure,
    "crops": crop_weights_figure,
    "sweep": sweep_figure,
    "preprocessing": preprocessing_figure,
}


def render_figure(results: TableResults, folder: Path) -> list[WrittenFigure]:
    """Draw an experiment's figure from its finished runs; of a table without one, its numbers as dots.

    Parameters
    ----------
    results
        Unfinished runs are left out, and the note of what is drawn says so.
    folder
        Where ``<kind>.png`` is written, and ``<kind>.svg`` where it is a plot.

    Returns
    -------
    list of WrittenFigure
        Nothing where no run is finished.

    Raises
    ------
    LesionLensError
        A finished run's folder or its data cannot be read, or have not what the figure asks for.
    """
    figure = results.spec.figure
    kind = figure.kind if figure else "dots"
    sketch = FIGURE_BUILDERS[kind](results) if figure else dot_plot(results)
    return [write_figure(sketch, folder, kind, footer=_footer(results))] if sketch else []


def _footer(results: TableResults) -> str:
    """Say what the figure is not for, what its images are, and how far its runs went."""
    finished = [cell for cell in results.cells if cell.state == "finished"]
    synthetic = any(cell.run_dir.metadata().get("data", {}).get("synthetic_data_notice") for cell in finished)
    small = f"Profile {results.profile}: a small network stands for each that is named."
    profile = "" if results.profile == "paper" else small
    return " ".join(filter(None, (RESEARCH_USE_NOTICE, "Synthetic images." if synthetic else "", profile)))
