"""What the runs of a row came to in a column: one number for each run, and why there is none."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lesionlens.errors import LesionLensError
from lesionlens.evaluation.evaluation import Estimate, read_evaluation
from lesionlens.evaluation.wording import METRIC_TITLES
from lesionlens.experiments.experiment import TableSpec
from lesionlens.experiments.measured_maps import localization_estimate
from lesionlens.experiments.measured_on import evaluate_on
from lesionlens.experiments.metric import ColumnSpec
from lesionlens.experiments.results import RunCell, TableResults
from lesionlens.experiments.tested import evaluation_split
from lesionlens.explanation.quality import LocalizationMetrics

ValueAndInterval = tuple[float, float, float]
COLUMN_METRICS = (*METRIC_TITLES, *LocalizationMetrics._fields)  # what a column can be


class RunValue(NamedTuple):
    """The number of one run.

    Attributes
    ----------
    run, fold
        As of `Cell`.
    value, low, high
        A fraction, and its interval over lesions; NaN where they are not defined.
    measured_on
        What it was measured on: ``test``, ``validation`` or the name of a generated set; several are joined.
    note
        Why there is no number, or what to know of it; else "".
    """

    run: int
    fold: int | None
    value: float
    low: float
    high: float
    measured_on: str = ""
    note: str = ""


def run_values(results: TableResults, row: str, column: str) -> list[RunValue]:
    """Give one number for each finished run of the row's part that the column names, in order of run and fold.

    A mean or difference of columns is taken run by run, from numbers of the same run and fold; its interval joins
    those of the columns bound by bound and is therefore never too narrow.
    """
    metric = results.spec.column(column)
    if metric.mean_of:
        return _combine_columns([run_values(results, row, each) for each in metric.mean_of], metric.mean_of, _mean)
    if metric.minus:
        return _combine_columns([run_values(results, row, each) for each in metric.minus], metric.minus, _difference)
    return [_measure_run(results, cell, metric) for cell in results.cells_for(row, metric.variant)]


def column_weights(spec: TableSpec, column_spec: ColumnSpec) -> list[tuple[float, ColumnSpec]]:
    """Give the columns that are measured themselves and that a column adds up, each with its weight."""
    weights = [1 / len(column_spec.mean_of)] * len(column_spec.mean_of) if column_spec.mean_of else [1.0, -1.0]
    columns = [spec.column(each) for each in (*column_spec.mean_of, *column_spec.minus)]
    if not columns:
        return [(1.0, column_spec)]
    return [
        (weight * own, leaf)
        for weight, column in zip(weights, columns, strict=True)
        for own, leaf in column_weights(spec, column)
    ]


def base_columns(spec: TableSpec, column_spec: ColumnSpec) -> list[ColumnSpec]:
    """Give the columns that are measured themselves and that a column is put together from, or itself."""
    return [leaf for _, leaf in column_weights(spec, column_spec)]


def predictions_path(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Path:
    """Give the file of scores from which a run's number in a column was measured."""
    if column_spec.artifact_set:
        return evaluate_on(cell, column_spec.artifact_set, results.artifact_sets[column_spec.artifact_set]) / "predictions.csv"
    return cell.run_dir.predictions(evaluation_split(cell))


def _measure_run(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> RunValue:
    part = column_spec.artifact_set or evaluation_split(cell)
    try:
        found = _run_estimate(results, cell, column_spec)
    except LesionLensError as error:
        return RunValue(cell.run, cell.fold, math.nan, math.nan, math.nan, part, str(error))
    return RunValue(cell.run, cell.fold, found.value, found.low, found.high, part, found.caveat)


def _run_estimate(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Estimate:
    if column_spec.metric in LocalizationMetrics._fields:
        name = results.local_map_name(results.spec.row(cell.row).maps.get(column_spec.name, column_spec.map))
        source = results.artifact_sets[column_spec.artifact_set] if column_spec.artifact_set else cell.recipe.data.source
        folder = (cell.run_dir.path / "on" / column_spec.artifact_set if column_spec.artifact_set else cell.run_dir.path) / "quality"
        return localization_estimate(cell, map_name=name, metric=column_spec.metric, source=source, folder=folder)
    if column_spec.artifact_set:
        path = evaluate_on(cell, column_spec.artifact_set, results.artifact_sets[column_spec.artifact_set]) / "evaluation.json"
    else:
        path = cell.run_dir.evaluation(evaluation_split(cell))
    return read_evaluation(path).estimate(column_spec.metric, column_spec.class_name)


def _combine_columns(
    columns: Sequence[Sequence[RunValue]], names: Sequence[str], combine: Callable[[Sequence[RunValue]], ValueAndInterval]
) -> list[RunValue]:
    """Join the numbers of each run; a run that a column lacks has none, and the note says which."""
    found = [{(each.run, each.fold): each for each in column} for column in columns]
    keys = {key for column in found for key in column}
    return [_combine_run(key, found, names, combine) for key in sorted(keys, key=lambda key: (key[0], key[1] or 0))]


def _combine_run(
    key: tuple[int, int | None],
    columns: Sequence[dict[tuple[int, int | None], RunValue]],
    names: Sequence[str],
    combine: Callable[[Sequence[RunValue]], ValueAndInterval],
) -> RunValue:
    there = [column[key] for column in columns if key in column]
    part = " and ".join(dict.fromkeys(each.measured_on for each in there))
    notes = [
        f"{name}: {column[key].note}" if key in column else f"{name} is missing"
        for name, column in zip(names, columns, strict=True)
        if key not in column or column[key].note
    ]
    numbers = combine(there) if len(there) == len(columns) else (math.nan, math.nan, math.nan)
    return RunValue(*key, *numbers, part, "; ".join(notes))


def _mean(operands: Sequence[RunValue]) -> ValueAndInterval:
    value, low, high = (
        math.fsum(getattr(each, name) for each in operands) / len(operands) for name in ("value", "low", "high")
    )
    return value, low, high


def _difference(operands: Sequence[RunValue]) -> ValueAndInterval:
    first, second = operands
    return first.value - second.value, first.low - second.high, first.high - second.low
