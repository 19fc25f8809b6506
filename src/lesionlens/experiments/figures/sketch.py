"""A figure before and after it is written: with what must be said below it."""

from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure

from lesionlens.atomic import atomic_write
from lesionlens.experiments.figures.style import TINY_FONT_SIZE

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
