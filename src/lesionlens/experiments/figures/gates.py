"""How scale gates went over the epochs, and the maps of their blocks (Zhang et al. 2019, Fig. 7)."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionlens.errors import ModelError, RunError
from lesionlens.evaluation.wording import readable
from lesionlens.experiments.figures.chosen import Chosen, chosen
from lesionlens.experiments.figures.lines import Tile, show
from lesionlens.experiments.figures.looked import native
from lesionlens.experiments.figures.runs import Backed, backed
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.figures.style import COLOURS, GREY, SMALL, dress
from lesionlens.experiments.results import Cell, Results
from lesionlens.models.bundle import load_model

KINDS = ("alpha/", "gamma/")
SIDE = 1.9  # inches
FEW = 3  # epochs
SAID = (
    "Above: the attention map of the last block of the gate's stage, averaged over its channels and scaled by itself, "
    "of one test image and the first run. Below: the gate over the epochs, each on an axis of its own."
)


def gates(results: Results) -> Sketch | None:
    """Draw the gates of the first panel that has runs, above each the map of its stage.

    Raises
    ------
    LesionLensError
        A run's log, bundle or image cannot be read, or its network has no scale gates.
    """
    found, notes = backed(results)
    figure = results.experiment.figure
    if not found or figure is None:
        return None
    first = found[0]
    logs = [_log(cell) for cell in first.cells]
    shown, instead = _there(
        {results.here(name): words for name, words in figure.gates.items()}, logs, first.title
    )
    image = chosen([first], figure.images, 1)
    drawn = Figure(figsize=(SIDE * (len(shown) + 1), 1.7 * SIDE + 0.2), layout="constrained")
    grid = drawn.subplots(2, len(shown) + 1, squeeze=False, height_ratios=[0.75, 1])
    _pictures(grid[0], first, image.images[0], list(shown))
    for axes, (column, words) in zip(grid[1, 1:], shown.items(), strict=True):
        _curves(axes, logs, column)
        dress(axes, title=words, x="epoch", y="α" if column.startswith("alpha") else "γ")
    _legend(grid[1, 0], grid[1, 1], first.title)
    return Sketch(drawn, f"{figure.caption} {SAID}", (*notes, *image.notes, *instead))


def _log(cell: Cell) -> pd.DataFrame:
    try:
        return pd.read_csv(cell.folder.log).set_index("epoch")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read the epochs of the run {cell.folder.path}: {error}") from error


def _there(asked: dict[str, str], logs: Sequence[pd.DataFrame], row: str) -> tuple[dict[str, str], list[str]]:
    """Give columns that every log has with their titles, the nearest of those asked for, and what is otherwise.

    A small network has fewer blocks in a stage: its last one stands for those that it lacks.
    """
    common = [str(name) for name in logs[0] if all(name in log for log in logs)]
    last = {_stage(name): name for name in common if name.startswith(KINDS) and logs[0][name].notna().any()}
    if not last:
        raise RunError(f"the log of {row} has no scale gates, columns alpha/… or gamma/…")
    shown: dict[str, str] = {}
    instead = []
    for name, words in asked.items():
        near = name if name in common else last.get(_stage(name))
        if near is None:
            instead.append(f"{row} has no gate {_place(name)} here.")
        elif near != name:
            instead.append(f"{row} has no gate {_place(name)} here; shown is {_place(near)}.")
        if near is not None:
            shown[near] = f"{words} ({_place(near)})"
    return shown or {name: _place(name) for name in last.values()}, instead


def _place(column: str) -> str:
    return column.partition("/")[2]


def _stage(column: str) -> str:
    return _place(column).split(".")[0]


def _curves(axes: Axes, logs: Sequence[pd.DataFrame], column: str) -> None:
    """Draw a thin line for each run and a thick one for their mean, over the epochs that all reached."""
    for number, log in enumerate(logs if len(logs) > 1 else ()):
        axes.plot(log.index, log[column], color=GREY, linewidth=0.7, label="" if number else "runs")
    mean = pd.concat([log[column] for log in logs], axis=1, join="inner").mean(axis=1)
    marker = "o" if len(mean) < FEW else ""  # no line would be seen
    name = "mean of runs" if len(logs) > 1 else "run"
    axes.plot(mean.index, mean, color=COLOURS[0], linewidth=1.5, marker=marker, markersize=3, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if len(mean) < FEW:
        axes.set_xlim(mean.index.min() - 0.5, mean.index.max() + 0.5)
        axes.set_xticks(list(mean.index))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _pictures(line: Sequence[Axes], first: Backed, one: Chosen, columns: Sequence[str]) -> None:
    """Show the image, then over it the map of each gate's stage; nothing of a stage without a map."""
    loaded = load_model(first.cells[0].folder.best, device="auto")
    try:
        seen = native(loaded, one)
    except ModelError as error:
        raise RunError(f"the gates of {first.title} have no maps to show: {error}") from error
    show(line[0], Tile(seen.image, one.words), room=24)
    for axes, column in zip(line[1:], columns, strict=True):
        drawn = seen.overlays.get(_stage(column))
        show(axes, None if drawn is None else Tile(drawn, f"map of {readable(_stage(column))}"), room=40)


def _legend(axes: Axes, curves: Axes, title: str) -> None:
    axes.set_axis_off()
    handles, labels = curves.get_legend_handles_labels()
    axes.legend(
        handles, labels, title=title, loc="center", fontsize=SMALL, title_fontsize=SMALL, frameon=False
    )
