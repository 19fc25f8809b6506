"""A column over what is varied, a line for each group of rows (Gessert et al. 2019, Fig. 5)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionlens.errors import RecipeError, unknown
from lesionlens.experiments.experiment import Metric, Row
from lesionlens.experiments.figures.numbers import INTERVALS, Dot, axis, dot
from lesionlens.experiments.figures.runs import everything, fewer
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.figures.style import MARKERS, SMALL, dress, line
from lesionlens.experiments.results import Results

TICKS = 10  # places on the axis that are all named


class _Point(NamedTuple):
    """A row at its place on the axis."""

    x: float
    row: Row
    dot: Dot | None


def sweep(results: Results) -> Sketch | None:
    """Draw one column over the rows' ``x``: measured with intervals, published as hollow marks.

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
    groups: dict[str, list[_Point]] = {}
    for row in experiment.rows:
        if row.x is not None:
            point = _Point(row.x, row, dot(results, row.name, metric))
            groups.setdefault(row.group, []).append(point)
    drawn = [point for points in groups.values() for point in points]
    if not any(point.dot for point in drawn):
        return None
    figure = Figure(figsize=(4.4, 3.0), layout="constrained")
    axes = figure.add_subplot()
    places = sorted({point.x for point in drawn})
    # groups stand side by side, so that no bar hides another
    step = (places[-1] - places[0] or 1.0) / 90
    for place, (group, points) in enumerate(groups.items()):
        aside = (place - (len(groups) - 1) / 2) * step
        _group(axes, sorted(points, key=lambda point: point.x), metric, group, place, aside)
    if len(places) <= TICKS:
        axes.set_xticks(places, [f"{x:g}" for x in places])
    dress(axes, x=experiment.figure.x, y=axis(results, metric))
    axes.legend(fontsize=SMALL, frameon=False)
    return Sketch(
        figure,
        f"{experiment.figure.caption} {INTERVALS}",
        (*_missing(experiment.rows, groups), *fewer(results, everything(results))),
    )


def _group(
    axes: Axes, points: Sequence[_Point], metric: Metric, group: str, place: int, aside: float
) -> None:
    look: dict[str, Any] = {"marker": MARKERS[place % len(MARKERS)], "markersize": 4.5}
    known = [(point.x + aside, point.dot) for point in points if point.dot is not None]
    if known:
        axes.plot([x for x, _ in known], [found.mean for _, found in known], linewidth=1.2,
                  label=f"{group}, measured" if group else "measured", **look, **line(place))  # fmt: skip
    for x, found in known:
        axes.errorbar(x, found.mean, yerr=found.arms, color=line(place)["color"], linewidth=0.9, capsize=2)
    published = [(point.x, point.row.published[metric.name].value) for point in points
                 if metric.name in point.row.published]  # fmt: skip
    if published:
        axes.plot(*zip(*published, strict=True), linestyle="none", markerfacecolor="white",
                  color=line(place)["color"], zorder=3, label=f"{group}, published" if group else "published",
                  **look)  # fmt: skip


def _missing(rows: Sequence[Row], groups: dict[str, list[_Point]]) -> tuple[str, ...]:
    nowhere = [row.name for row in rows if row.x is None]
    unfinished = [point.row.name for points in groups.values() for point in points if point.dot is None]
    return (
        *([f"Not drawn, as it has no place on the axis: {', '.join(nowhere)}."] if nowhere else []),
        *([f"Not measured: {', '.join(unfinished)}."] if unfinished else []),
    )
