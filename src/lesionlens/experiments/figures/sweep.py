"""A column over what is varied, a line for each group of rows (Gessert et al. 2019, Fig. 5)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.errors import RecipeError, unknown
from lesionlens.experiments.figures.numbers import INTERVALS, Dot, axis, dot
from lesionlens.experiments.figures.runs import everything, fewer
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.figures.style import GREY, INK, MARKERS, SMALL, TINY, dress, line
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.results import Results
from lesionlens.experiments.row import Row

TICKS = 10  # places on the axis that are all named
FEW = 3  # groups whose names fit into the axes


class _Point(NamedTuple):
    """A row, its place on the axis and what it came to."""

    x: float | None
    row: Row
    dot: Dot | None


def sweep(results: Results) -> Sketch | None:
    """Draw one column over the rows' ``x``: measured with intervals, published as hollow marks.

    A row without ``x`` is a level to compare with: a dashed line all across.

    Raises
    ------
    RecipeError
        The figure names no column.
    """
    experiment = results.experiment
    assert experiment.figure is not None
    columns = [metric.name for metric in experiment.metrics]
    if experiment.figure.of not in columns:
        raise RecipeError(unknown("column of the sweep", experiment.figure.of, columns))
    metric = experiment.metric(experiment.figure.of)
    points = [_Point(row.x, row, dot(results, row.name, metric)) for row in experiment.rows]
    if not any(point.dot for point in points):
        return None
    groups = list(dict.fromkeys(point.row.group for point in points if point.x is not None))
    figure = Figure(figsize=(4.4 if len(groups) <= FEW else 6.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    _places(axes, sorted({point.x for point in points if point.x is not None}))
    for number, group in enumerate(groups):
        own = [point for point in points if point.row.group == group and point.x is not None]
        _group(axes, sorted(own, key=lambda point: point.x or 0.0), metric, number, of=len(groups))
    _levels(axes, [point for point in points if point.x is None])
    dress(axes, x=experiment.figure.x, y=axis(results, metric))
    if len(groups) <= FEW:
        axes.legend(fontsize=SMALL, frameon=False)
    else:
        figure.legend(loc="outside right upper", fontsize=SMALL, frameon=False)
    unmeasured = [point.row.name for point in points if point.dot is None and point.row.parts]
    notes = (f"Not measured: {', '.join(unmeasured)}.",) if unmeasured else ()
    caption = f"{experiment.figure.caption} {INTERVALS}"
    return Sketch(figure, caption, (*notes, *fewer(results, everything(results))))


def _places(axes: Axes, places: Sequence[float]) -> None:
    """Name each place on the axis where there are few, and leave room for all of them."""
    room = 0.06 * (places[-1] - places[0] or 1.0) if places else 0.0
    if places:
        axes.set_xlim(places[0] - room, places[-1] + room)
    apart = min((right - left for left, right in pairwise(places)), default=1.0)
    if len(places) <= TICKS and apart > room:
        axes.set_xticks(places, [f"{x:g}" for x in places])


def _group(axes: Axes, points: Sequence[_Point], metric: Metric, number: int, *, of: int) -> None:
    """Draw one line; groups stand side by side, so that no bar hides another."""
    low, high = axes.get_xlim()
    aside = (number - (of - 1) / 2) * (high - low) / 100
    look: dict[str, Any] = {"marker": MARKERS[number % len(MARKERS)], "markersize": 4.5}
    colour, group = line(number)["color"], points[0].row.group
    told = not group or any(metric.name in point.row.published for point in points)
    label = ", ".join(filter(None, (group, "measured" if told else "")))
    known = [
        (point.x + aside, point.dot, point.row.name) for point in points if point.dot and point.x is not None
    ]
    if known:
        axes.plot([x for x, *_ in known], [found.mean for _, found, _ in known], linewidth=1.2,
                  label=label, **look, **line(number))  # fmt: skip
    for place, (x, found, name) in enumerate(known):
        axes.errorbar(x, found.mean, yerr=found.arms, color=colour, linewidth=0.9, capsize=2)
        if not group and f"{x - aside:g}" not in name:
            # above and below by turns, as neighbours may lie close
            _name(axes, name, (x, found.mean), (3, -9 if place % 2 else 4))
    published = [(point.x, point.row.published[metric.name].value) for point in points
                 if metric.name in point.row.published]  # fmt: skip
    if published:
        axes.plot(*zip(*published, strict=True), linestyle="none", markerfacecolor="white", color=colour, zorder=3,
                  label=f"{group}, published" if group else "published", **look)  # fmt: skip


def _levels(axes: Axes, points: Sequence[_Point]) -> None:
    """Draw rows without a place as lines all across, each with its name at the left end."""
    for point in points:
        if point.dot is not None:
            axes.axhline(point.dot.mean, color=GREY, linewidth=0.9, dashes=(4, 2), zorder=1)
            _name(axes, point.row.name, (axes.get_xlim()[0], point.dot.mean), (2, 2))


def _name(axes: Axes, words: str, at: tuple[float, float], aside: tuple[int, int]) -> None:
    """Write a name beside a point, in points off it, legible over lines."""
    axes.annotate(words, at, aside, textcoords="offset points", fontsize=TINY, color=INK, parse_math=False, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4})  # fmt: skip
