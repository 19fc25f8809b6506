"""The numbers of a table as dots: measured with interval, published, one line for each row."""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionlens.experiments.figures.numbers import INTERVALS, Dot, axis, dot
from lesionlens.experiments.figures.runs import everything, fewer
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.figures.style import COLOURS, FAINT, GREY, INK, SMALL, dress
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.results import Results
from lesionlens.experiments.row import Row

COLUMNS = 3  # of a table: more would not be read beside one another
SAID = "Filled: measured, the mean of runs; small grey: single runs"


class _Place(NamedTuple):
    """A line of the figure: a row, or the heading of a group."""

    words: str
    row: Row | None


def dots(results: Results) -> Sketch | None:
    """Draw the first three columns of a table side by side; None where nothing is measured."""
    experiment = results.experiment
    metrics = experiment.metrics[:COLUMNS]
    found = {(row.name, metric.name): dot(results, row.name, metric)
             for row in experiment.rows for metric in metrics}  # fmt: skip
    if not any(found.values()):
        return None
    places = list(_places(experiment.rows))
    figure = Figure(figsize=(1.9 + 2.1 * len(metrics), 0.19 * len(places) + 1.0), layout="constrained")
    across = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(across, metrics, strict=True):
        for down, place in enumerate(places):
            if place.row is not None:
                _dot(axes, down, place.row, metric, found[place.row.name, metric.name])
        dress(axes, x=axis(results, metric))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    _names(across[0], places)
    published = any(metric.name in row.published for row in experiment.rows for metric in metrics)
    _legend(figure, across[0], published=published)
    missing = [
        row.name for row in experiment.rows if row.parts and not any(found[row.name, m.name] for m in metrics)
    ]
    notes = [f"Not measured: {', '.join(missing)}."] if missing else []
    others = [metric.name for metric in experiment.metrics[COLUMNS:]]
    more = f" Of its other columns ({', '.join(others)}) the table tells." if others else ""
    said = f"measured and published. {SAID}; hollow: published" if published else f"measured. {SAID}"
    caption = f"{experiment.title}, {said}. {INTERVALS}{more}"
    return Sketch(figure, caption, (*notes, *fewer(results, everything(results))))


def _places(rows: tuple[Row, ...]) -> Iterator[_Place]:
    """Give the lines from the top: the heading of each group before its first row."""
    before = ""
    for row in rows:
        if row.group and row.group != before:
            yield _Place(row.group, None)
        before = row.group
        yield _Place(row.name, row)


def _dot(axes: Axes, down: int, row: Row, metric: Metric, measured: Dot | None) -> None:
    axes.axhline(down, color=FAINT, linewidth=0.6, zorder=0)
    published = row.published.get(metric.name)
    if published is not None:
        axes.plot(published.value, down, marker="D", markersize=4, color=COLOURS[1], markerfacecolor="white",
                  linestyle="none", zorder=3)  # fmt: skip
    if measured is None:
        return
    if len(measured.runs) > 1:
        axes.plot(
            measured.runs, [down] * len(measured.runs), marker="|", markersize=5, color=GREY, linestyle="none"
        )
    axes.errorbar(measured.mean, down, xerr=measured.arms, color=COLOURS[0], marker="o", markersize=4,
                  linewidth=1.1, zorder=2)  # fmt: skip


def _names(axes: Axes, places: list[_Place]) -> None:
    """Write the rows' names, headings in bold; the first line is at the top."""
    axes.set_yticks(
        range(len(places)), [place.words for place in places], fontsize=SMALL, color=INK, parse_math=False
    )
    for label, place in zip(axes.get_yticklabels(), places, strict=True):
        label.set_fontweight("bold" if place.row is None else "normal")
    axes.set_ylim(len(places) - 0.4, -0.6)


def _legend(figure: Figure, axes: Axes, *, published: bool) -> None:
    said = {"measured": axes.plot([], [], marker="o", markersize=4, color=COLOURS[0], linewidth=1.1)[0]}
    if published:
        said["published"] = axes.plot(
            [], [], marker="D", markersize=4, color=COLOURS[1], markerfacecolor="white", linestyle="none"
        )[0]
    figure.legend(
        [*said.values()], [*said], loc="outside upper right", ncols=2, fontsize=SMALL, frameon=False
    )
