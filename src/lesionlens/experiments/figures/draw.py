"""What an experiment's figure asks for, drawn and written."""

from collections.abc import Callable, Mapping
from pathlib import Path

from lesionlens.experiments.figures.crops import crops
from lesionlens.experiments.figures.dots import dots
from lesionlens.experiments.figures.gates import gates
from lesionlens.experiments.figures.inputs import inputs
from lesionlens.experiments.figures.maps import maps
from lesionlens.experiments.figures.roc import roc
from lesionlens.experiments.figures.sketch import Drawn, Sketch, write
from lesionlens.experiments.figures.sweep import sweep
from lesionlens.experiments.results import Results
from lesionlens.models.bundle import RESEARCH_USE

KINDS: Mapping[str, Callable[[Results], Sketch | None]] = {
    "roc": roc,
    "gates": gates,
    "maps": maps,
    "crops": crops,
    "sweep": sweep,
    "inputs": inputs,
}


def draw(results: Results, folder: Path) -> list[Drawn]:
    """Draw an experiment's figure from its finished runs; of a table without one, its numbers as dots.

    Parameters
    ----------
    results
        Unfinished runs are left out, and the note of what is drawn says so.
    folder
        Where ``<kind>.png`` is written, and ``<kind>.svg`` where it is a plot.

    Returns
    -------
    list of Drawn
        Nothing where no run is finished.

    Raises
    ------
    LesionLensError
        A finished run's folder or its data cannot be read, or have not what the figure asks for.
    """
    figure = results.experiment.figure
    kind = figure.kind if figure else "dots"
    sketch = KINDS[kind](results) if figure else dots(results)
    return [write(sketch, folder, kind, foot=_foot(results))] if sketch else []


def _foot(results: Results) -> str:
    """Say what the figure is not for, what its images are, and how far its runs went."""
    finished = [cell for cell in results.cells if cell.state == "finished"]
    synthetic = any(cell.folder.record().get("data", {}).get("statement") for cell in finished)
    small = f"Profile {results.profile}: a small network stands for each that is named."
    profile = "" if results.profile == "paper" else small
    return " ".join(filter(None, (RESEARCH_USE, "Synthetic images." if synthetic else "", profile)))
