"""A figure before and after it is written: with what must be said below it."""

from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure

from lesionlens.atomic import replacing
from lesionlens.experiments.figures.style import TINY

DPI = 200


class Sketch(NamedTuple):
    """A figure, what is to be seen, what is missing or otherwise than asked for, and whether it is all lines."""

    figure: Figure
    caption: str
    notes: tuple[str, ...] = ()
    plot: bool = True


class Drawn(NamedTuple):
    """A written figure (PNG; of a plot there is an SVG beside it), its caption, and what is missing in it."""

    path: Path
    caption: str
    note: str


def write(sketch: Sketch, folder: Path, name: str, *, foot: str) -> Drawn:
    """Write ``NAME.png``, and ``NAME.svg`` of a plot, atomically, with small words at the foot.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    sketch.figure.supxlabel(foot, x=0.008, ha="left", fontsize=TINY, color="0.35")
    path = folder / f"{name}.png"
    # text stays text, and the same figure gives the same file
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        with replacing(path) as part:
            sketch.figure.savefig(part, format="png", dpi=DPI, facecolor="white")
        if sketch.plot:
            with replacing(path.with_suffix(".svg")) as part:
                sketch.figure.savefig(part, format="svg", metadata={"Date": None})
    return Drawn(path, sketch.caption, " ".join(sketch.notes))
