"""Which finished runs stand behind the lines of a figure, and which are missing."""

from collections.abc import Sequence
from typing import NamedTuple

from lesionlens.evaluation.evaluation import EvaluationResult, read_evaluation
from lesionlens.experiments.figure import PanelSpec
from lesionlens.experiments.results import RunCell, TableResults
from lesionlens.experiments.tested import evaluation_split


class PanelRuns(NamedTuple):
    """A panel and its finished runs, at least one."""

    panel: PanelSpec
    cells: list[RunCell]

    @property
    def title(self) -> str:
        """What stands beside it: its own title, else the row's name and part."""
        return self.panel.title or " ".join(filter(None, (self.panel.row, self.panel.variant)))


def panels_with_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Give the panels that have finished runs, and a sentence for what is missing.

    A figure without panels has one for each part of each row.
    """
    figure = results.spec.figure
    panels = figure.panels if figure and figure.panels else all_panels(results)
    found = [PanelRuns(panel, results.cells_for(panel.row, panel.variant)) for panel in panels]
    return [each for each in found if each.cells], _missing_runs_note(results, found)


def panels_with_matched_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Give the panels as `backed` does, each with one run: the first that all of them have, of the same fold.

    Where they have none in common, the first of each.
    """
    found, notes = panels_with_runs(results)
    common = set.intersection(*({_run_key(cell) for cell in each.cells} for each in found)) if found else set()
    first = min(common, default=None)
    kept = [[cell for cell in each.cells if first in (None, _run_key(cell))] for each in found]
    return [PanelRuns(each.panel, cells[:1]) for each, cells in zip(found, kept, strict=True)], notes


def _run_key(cell: RunCell) -> tuple[int, int]:
    return cell.run, -1 if cell.fold is None else cell.fold


def read_evaluations(cells: Sequence[RunCell]) -> list[EvaluationResult]:
    """Read what each run measured on the part that counts."""
    return [read_evaluation(cell.run_dir.evaluation(evaluation_split(cell))) for cell in cells]


def incomplete_panels_note(results: TableResults, panels: Sequence[PanelSpec]) -> tuple[str, ...]:
    """Say which panels have some finished runs, but not all that were planned."""
    said = []
    for panel in panels:
        done = len(results.cells_for(panel.row, panel.variant))
        planned = sum((cell.row, cell.variant) == (panel.row, panel.variant) for cell in results.cells)
        if 0 < done < planned:
            said.append(f"{PanelRuns(panel, []).title}: {done} of {planned} runs.")
    return tuple(dict.fromkeys(said))


def all_panels(results: TableResults) -> list[PanelSpec]:
    """Give a panel for each part of each row."""
    return [PanelSpec(row=row.name, variant=part) for row in results.spec.rows for part in row.variants]


def _missing_runs_note(results: TableResults, panels: Sequence[PanelRuns]) -> tuple[str, ...]:
    none = [each.title for each in panels if not each.cells]
    missing = [f"Not drawn, as no run is finished: {', '.join(dict.fromkeys(none))}."] if none else []
    return (*missing, *incomplete_panels_note(results, [each.panel for each in panels]))
