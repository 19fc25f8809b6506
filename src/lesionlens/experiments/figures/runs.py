"""Which finished runs stand behind the lines of a figure, and which are missing."""

from collections.abc import Sequence
from typing import NamedTuple

from lesionlens.evaluation.evaluation import Evaluation, read_evaluation
from lesionlens.experiments.figure import Panel
from lesionlens.experiments.results import Cell, Results
from lesionlens.experiments.tested import tested_part


class Backed(NamedTuple):
    """A panel and its finished runs, at least one."""

    panel: Panel
    cells: list[Cell]

    @property
    def title(self) -> str:
        """What stands beside it: its own title, else the row's name and part."""
        return self.panel.title or " ".join(filter(None, (self.panel.row, self.panel.part)))


def backed(results: Results) -> tuple[list[Backed], tuple[str, ...]]:
    """Give the panels that have finished runs, and a sentence for what is missing.

    A figure without panels has one for each part of each row.
    """
    figure = results.experiment.figure
    panels = figure.panels if figure and figure.panels else everything(results)
    found = [Backed(panel, results.of(panel.row, panel.part)) for panel in panels]
    return [each for each in found if each.cells], _missing(results, found)


def paired(results: Results) -> tuple[list[Backed], tuple[str, ...]]:
    """Give the panels as `backed` does, each with one run: the first that all of them have, of the same fold.

    Where they have none in common, the first of each.
    """
    found, notes = backed(results)
    common = set.intersection(*({_pair(cell) for cell in each.cells} for each in found)) if found else set()
    first = min(common, default=None)
    kept = [[cell for cell in each.cells if first in (None, _pair(cell))] for each in found]
    return [Backed(each.panel, cells[:1]) for each, cells in zip(found, kept, strict=True)], notes


def _pair(cell: Cell) -> tuple[int, int]:
    return cell.run, -1 if cell.fold is None else cell.fold


def evaluations(cells: Sequence[Cell]) -> list[Evaluation]:
    """Read what each run measured on the part that counts."""
    return [read_evaluation(cell.folder.evaluation(tested_part(cell))) for cell in cells]


def fewer(results: Results, panels: Sequence[Panel]) -> tuple[str, ...]:
    """Say which panels have some finished runs, but not all that were planned."""
    said = []
    for panel in panels:
        done = len(results.of(panel.row, panel.part))
        planned = sum((cell.row, cell.part) == (panel.row, panel.part) for cell in results.cells)
        if 0 < done < planned:
            said.append(f"{Backed(panel, []).title}: {done} of {planned} runs.")
    return tuple(dict.fromkeys(said))


def everything(results: Results) -> list[Panel]:
    """Give a panel for each part of each row."""
    return [Panel(row=row.name, part=part) for row in results.experiment.rows for part in row.parts]


def _missing(results: Results, found: Sequence[Backed]) -> tuple[str, ...]:
    none = [each.title for each in found if not each.cells]
    missing = [f"Not drawn, as no run is finished: {', '.join(dict.fromkeys(none))}."] if none else []
    return (*missing, *fewer(results, [each.panel for each in found]))
