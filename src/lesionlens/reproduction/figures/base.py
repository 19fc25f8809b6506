"""Common parts of figures: style, panels and their runs, and writing to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    TINY_FONT_SIZE,
    figure_style,
    figure_text,
    place_text,
    save_figure,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import text_height, wrap_text
from lesionlens.evaluation.result import EvaluationResult, read_evaluation
from lesionlens.reproduction.evaluation_images import evaluation_split
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import PanelSpec

LINE_MARKERS = "osD^vPX"
FOOTER_INCHES = 0.28  # height that every figure leaves free at its lower edge
MARGIN_INCHES = 0.06  # at the edges of a figure and between its parts


class CaptionedFigure(NamedTuple):
    """A figure, its caption, notes on missing or replaced parts, and whether to write it as SVG too."""

    figure: Figure
    caption: str
    notes: tuple[str, ...] = ()
    is_vector: bool = True


class WrittenFigure(NamedTuple):
    """A written figure: path of the PNG (plots have an SVG of the same name), caption, and notes."""

    path: Path
    caption: str
    note: str


@figure_style()
def add_footer(figure: Figure, footer: str) -> None:
    """Write a small text at the lower edge of a figure, in the space of ``FOOTER_INCHES``."""
    width, height = figure.get_size_inches()
    text = wrap_text(footer, width - 2 * MARGIN_INCHES, TINY_FONT_SIZE)
    top = height - text_height(text, TINY_FONT_SIZE) - MARGIN_INCHES / 2
    place_text(figure, text, left=MARGIN_INCHES, top=top, fontsize=TINY_FONT_SIZE, color="0.35")


def write_figure(captioned: CaptionedFigure, folder: Path, name: str, *, footer: str) -> WrittenFigure:
    """Write ``NAME.png``, and of plots ``NAME.svg``, atomically, with a small text at the bottom.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    add_footer(captioned.figure, footer)
    path = folder / f"{name}.png"
    with rc_context({"svg.hashsalt": name}):  # the same figure results in the same file
        with atomic_write(path) as partial:
            save_figure(captioned.figure, partial, suffix="png", dpi=FIGURE_DPI, facecolor="white")
        if captioned.is_vector:
            with atomic_write(path.with_suffix(".svg")) as partial:
                save_figure(captioned.figure, partial, suffix="svg", metadata={"Date": None})
    warn_about_missing_glyphs(figure_text(captioned.figure), "PNG")
    return WrittenFigure(path, captioned.caption, " ".join(captioned.notes))


class PanelRuns(NamedTuple):
    """A panel and its finished runs, at least one."""

    panel: PanelSpec
    cells: list[RunCell]

    @property
    def title(self) -> str:
        """Title of the panel, else name and variant of its row."""
        return self.panel.title or " ".join(filter(None, (self.panel.row, self.panel.variant)))


def panels_with_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Return the panels that have finished runs, and notes on missing ones.

    A figure without panels has one per variant of each row.
    """
    figure = results.spec.figure
    panels = figure.panels if figure and figure.panels else all_panels(results)
    panel_runs = [PanelRuns(panel, results.cells_for(panel.row, panel.variant)) for panel in panels]
    return [panel for panel in panel_runs if panel.cells], _missing_runs_note(results, panel_runs)


def panels_with_matched_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Return the panels with finished runs, each with one run: the first repeat and fold that all panels have.

    If they have none in common, each has its own first run.
    """
    panels, notes = panels_with_runs(results)
    keys = [{_run_key(cell) for cell in panel.cells} for panel in panels]
    first = min(set.intersection(*keys), default=None) if keys else None
    matched = [[cell for cell in panel.cells if first in (None, _run_key(cell))] for panel in panels]
    return [PanelRuns(panel.panel, cells[:1]) for panel, cells in zip(panels, matched, strict=True)], notes


def _run_key(cell: RunCell) -> tuple[int, int]:
    return cell.run, -1 if cell.fold is None else cell.fold


def read_evaluations(cells: Sequence[RunCell]) -> list[EvaluationResult]:
    """Read the evaluation of each run on its evaluation split."""
    return [read_evaluation(cell.run_dir.evaluation(evaluation_split(cell))) for cell in cells]


def incomplete_panels_note(results: TableResults, panels: Sequence[PanelSpec]) -> tuple[str, ...]:
    """Return a note for each panel that has some, but not all, of its planned runs."""
    notes = []
    for panel in panels:
        done = len(results.cells_for(panel.row, panel.variant))
        planned = sum((cell.row, cell.variant) == (panel.row, panel.variant) for cell in results.cells)
        if 0 < done < planned:
            notes.append(f"{PanelRuns(panel, []).title}: {done} of {planned} runs.")
    return tuple(dict.fromkeys(notes))


def all_panels(results: TableResults) -> list[PanelSpec]:
    """Return a panel for each variant of each row."""
    return [
        PanelSpec(row=row.name, variant=variant)
        for row in results.spec.rows
        for variant in results.spec.recipes_of(row)
    ]


def _missing_runs_note(results: TableResults, panels: Sequence[PanelRuns]) -> tuple[str, ...]:
    titles = [panel.title for panel in panels if not panel.cells]
    missing = [f"Not shown, as no run is finished: {', '.join(dict.fromkeys(titles))}."] if titles else []
    return (*missing, *incomplete_panels_note(results, [panel.panel for panel in panels]))
