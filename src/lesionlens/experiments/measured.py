"""What the runs of a row came to in a column: one number for each run, and why there is none."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lesionlens.errors import LesionLensError
from lesionlens.evaluation.evaluation import Estimate, read_evaluation
from lesionlens.evaluation.wording import TITLES
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.measured_maps import map_estimate
from lesionlens.experiments.measured_on import measured_on
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.results import Cell, Results
from lesionlens.experiments.tested import tested_part
from lesionlens.explanation.quality import MapQuality

Numbers = tuple[float, float, float]
MEASURES = (*TITLES, *MapQuality._fields)  # what a column can be


class Value(NamedTuple):
    """The number of one run.

    Attributes
    ----------
    run, fold
        As of `Cell`.
    value, low, high
        A fraction, and its interval over lesions; NaN where they are not defined.
    part
        What it was measured on: ``test``, ``validation`` or the name of a generated set; several are joined.
    note
        Why there is no number, or what to know of it; else "".
    """

    run: int
    fold: int | None
    value: float
    low: float
    high: float
    part: str = ""
    note: str = ""


def values(results: Results, row: str, column: str) -> list[Value]:
    """Give one number for each finished run of the row's part that the column names, in order of run and fold.

    A mean or difference of columns is taken run by run, from numbers of the same run and fold; its interval joins
    those of the columns bound by bound and is therefore never too narrow.
    """
    metric = results.experiment.metric(column)
    if metric.mean_of:
        return _joined([values(results, row, each) for each in metric.mean_of], metric.mean_of, _mean)
    if metric.less:
        return _joined([values(results, row, each) for each in metric.less], metric.less, _difference)
    return [_of_cell(results, cell, metric) for cell in results.of(row, metric.part)]


def shares(experiment: Experiment, metric: Metric) -> list[tuple[float, Metric]]:
    """Give the columns that are measured themselves and that a column adds up, each with its weight."""
    weights = [1 / len(metric.mean_of)] * len(metric.mean_of) if metric.mean_of else [1.0, -1.0]
    columns = [experiment.metric(each) for each in (*metric.mean_of, *metric.less)]
    if not columns:
        return [(1.0, metric)]
    return [
        (weight * own, leaf)
        for weight, column in zip(weights, columns, strict=True)
        for own, leaf in shares(experiment, column)
    ]


def leaves(experiment: Experiment, metric: Metric) -> list[Metric]:
    """Give the columns that are measured themselves and that a column is put together from, or itself."""
    return [leaf for _, leaf in shares(experiment, metric)]


def predictions_of(results: Results, cell: Cell, metric: Metric) -> Path:
    """Give the file of scores from which a run's number in a column was measured."""
    if metric.set:
        return measured_on(cell, metric.set, results.sets[metric.set]) / "predictions.csv"
    return cell.folder.predictions(tested_part(cell))


def _of_cell(results: Results, cell: Cell, metric: Metric) -> Value:
    part = metric.set or tested_part(cell)
    try:
        found = _estimate(results, cell, metric)
    except LesionLensError as error:
        return Value(cell.run, cell.fold, math.nan, math.nan, math.nan, part, str(error))
    return Value(cell.run, cell.fold, found.value, found.low, found.high, part, found.note)


def _estimate(results: Results, cell: Cell, metric: Metric) -> Estimate:
    if metric.metric in MapQuality._fields:
        name = results.here(results.experiment.row(cell.row).maps.get(metric.name, metric.map))
        source = results.sets[metric.set] if metric.set else cell.recipe.data.source
        folder = (cell.folder.path / "on" / metric.set if metric.set else cell.folder.path) / "quality"
        return map_estimate(cell, name=name, measure=metric.metric, source=source, folder=folder)
    if metric.set:
        path = measured_on(cell, metric.set, results.sets[metric.set]) / "evaluation.json"
    else:
        path = cell.folder.evaluation(tested_part(cell))
    return read_evaluation(path).estimate(metric.metric, metric.of)


def _joined(
    columns: Sequence[Sequence[Value]], names: Sequence[str], how: Callable[[Sequence[Value]], Numbers]
) -> list[Value]:
    """Join the numbers of each run; a run that a column lacks has none, and the note says which."""
    found = [{(each.run, each.fold): each for each in column} for column in columns]
    keys = {key for column in found for key in column}
    return [_of_run(key, found, names, how) for key in sorted(keys, key=lambda key: (key[0], key[1] or 0))]


def _of_run(
    key: tuple[int, int | None],
    columns: Sequence[dict[tuple[int, int | None], Value]],
    names: Sequence[str],
    how: Callable[[Sequence[Value]], Numbers],
) -> Value:
    there = [column[key] for column in columns if key in column]
    part = " and ".join(dict.fromkeys(each.part for each in there))
    notes = [
        f"{name}: {column[key].note}" if key in column else f"{name} is missing"
        for name, column in zip(names, columns, strict=True)
        if key not in column or column[key].note
    ]
    numbers = how(there) if len(there) == len(columns) else (math.nan, math.nan, math.nan)
    return Value(*key, *numbers, part, "; ".join(notes))


def _mean(found: Sequence[Value]) -> Numbers:
    value, low, high = (
        math.fsum(getattr(each, name) for each in found) / len(found) for name in ("value", "low", "high")
    )
    return value, low, high


def _difference(found: Sequence[Value]) -> Numbers:
    first, second = found
    return first.value - second.value, first.low - second.high, first.high - second.low
