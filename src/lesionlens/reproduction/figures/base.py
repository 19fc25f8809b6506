"""A figure before and after it is written: with what must be said below it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.core.fileio import atomic_write
from lesionlens.evaluation.result import EvaluationResult, read_evaluation
from lesionlens.reproduction.measurements import evaluation_split
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import PanelSpec

SMALL_FONT_SIZE, NORMAL_FONT_SIZE, TINY_FONT_SIZE = 7.0, 8.0, 5.5  # points: legible in a journal's column
TEXT_COLOR, MUTED_COLOR, GRID_COLOR = "0.15", "#8A8A8A", "#E6E6E6"

# Okabe and Ito 2008, without its yellow, which cannot be seen on white
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
LINE_MARKERS = "osD^vPX"


def line_style(number: int) -> dict[str, Any]:
    """Give colour and dashes of the n-th line: neighbours differ in both."""
    return {
        "color": LINE_COLORS[number % len(LINE_COLORS)],
        "linestyle": LINE_DASHES[number % len(LINE_DASHES)],
    }


def style_axes(axes: Axes, *, title: str = "", x_label: str = "", y_label: str = "") -> None:
    """Give a plot its words and two thin spines over a faint grid."""
    axes.set_title(title, fontsize=NORMAL_FONT_SIZE, loc="left", color=TEXT_COLOR, parse_math=False)
    axes.set_xlabel(x_label, fontsize=SMALL_FONT_SIZE, parse_math=False)
    axes.set_ylabel(y_label, fontsize=SMALL_FONT_SIZE, parse_math=False)
    axes.tick_params(labelsize=SMALL_FONT_SIZE, length=2, width=0.5)
    axes.yaxis.get_offset_text().set_fontsize(SMALL_FONT_SIZE)
    axes.grid(color=GRID_COLOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.5)


DPI = 200


class FigureDraft(NamedTuple):
    """A figure, what is to be seen, what is missing or otherwise than asked for, and whether it is all lines."""

    figure: Figure
    caption: str
    notes: tuple[str, ...] = ()
    is_vector: bool = True


class WrittenFigure(NamedTuple):
    """A written figure (PNG; of a plot there is an SVG beside it), its caption, and what is missing in it."""

    path: Path
    caption: str
    note: str


def write_figure(draft: FigureDraft, folder: Path, name: str, *, footer: str) -> WrittenFigure:
    """Write ``NAME.png``, and ``NAME.svg`` of a plot, atomically, with small words at the foot.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    draft.figure.supxlabel(footer, x=0.008, ha="left", fontsize=TINY_FONT_SIZE, color="0.35")
    path = folder / f"{name}.png"
    # text stays text, and the same figure gives the same file
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        with atomic_write(path) as part:
            draft.figure.savefig(part, format="png", dpi=DPI, facecolor="white")
        if draft.is_vector:
            with atomic_write(path.with_suffix(".svg")) as part:
                draft.figure.savefig(part, format="svg", metadata={"Date": None})
    return WrittenFigure(path, draft.caption, " ".join(draft.notes))


class PanelRuns(NamedTuple):
    """A panel and its finished runs, at least one."""

    panel: PanelSpec
    cells: list[RunCell]

    @property
    def title(self) -> str:
        """What stands beside it: its own title, else the row's name and variant."""
        return self.panel.title or " ".join(filter(None, (self.panel.row, self.panel.variant)))


def panels_with_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Give the panels that have finished runs, and a sentence for what is missing.

    A figure without panels has one for each variant of each row.
    """
    figure = results.spec.figure
    panels = figure.panels if figure and figure.panels else all_panels(results)
    found = [PanelRuns(panel, results.cells_for(panel.row, panel.variant)) for panel in panels]
    return [each for each in found if each.cells], _missing_runs_note(results, found)


def panels_with_matched_runs(results: TableResults) -> tuple[list[PanelRuns], tuple[str, ...]]:
    """Give the panels as `panels_with_runs` does, each with one run: the first that all of them have, of the same fold.

    Where they have none in common, the first of each.
    """
    found, notes = panels_with_runs(results)
    common = (
        set.intersection(*({_run_key(cell) for cell in each.cells} for each in found)) if found else set()
    )
    first = min(common, default=None)
    kept = [[cell for cell in each.cells if first in (None, _run_key(cell))] for each in found]
    return [PanelRuns(each.panel, cells[:1]) for each, cells in zip(found, kept, strict=True)], notes


def _run_key(cell: RunCell) -> tuple[int, int]:
    return cell.run, -1 if cell.fold is None else cell.fold


def read_evaluations(cells: Sequence[RunCell]) -> list[EvaluationResult]:
    """Read what each run measured on the split that counts."""
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
    """Give a panel for each variant of each row."""
    return [
        PanelSpec(row=row.name, variant=variant)
        for row in results.spec.rows
        for variant in results.spec.recipes_of(row)
    ]


def _missing_runs_note(results: TableResults, panels: Sequence[PanelRuns]) -> tuple[str, ...]:
    none = [each.title for each in panels if not each.cells]
    missing = [f"Not drawn, as no run is finished: {', '.join(dict.fromkeys(none))}."] if none else []
    return (*missing, *incomplete_panels_note(results, [each.panel for each in panels]))
