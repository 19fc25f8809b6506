"""What the runs of a row came to in a column: one number for each run, and why there is none."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError, LesionLensError, ModelError
from lesionlens.core.fileio import write_text
from lesionlens.core.tabular import read_csv_columns
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import Estimate, read_evaluation, write_evaluation
from lesionlens.explanation.localization import evaluate_localization, write_localization
from lesionlens.explanation.localization_metrics import LocalizationMetrics
from lesionlens.explanation.methods import METHODS
from lesionlens.inference.batch import run_inference
from lesionlens.inference.inputs import inputs_from_table
from lesionlens.models.saved_model import load_model
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import ColumnSpec, TableSpec


def evaluation_split(cell: RunCell) -> str:
    """Name the split that counts: test, or validation where the run has no test images."""
    return "test" if cell.run_dir.evaluation("test").is_file() else "validation"


def evaluation_subset(cell: RunCell, source: str) -> LesionTable:
    """Give the table of the run's own test images, as ``source`` has them.

    Raises
    ------
    DataError
        The source cannot be read, or has none of them.
    """
    splits, split = read_csv_columns(cell.run_dir.splits_csv), evaluation_split(cell)
    own = [image for image, name in zip(splits["image_id"], splits["split"], strict=True) if name == split]
    table = load_table(source, classes=cell.recipe.data.classes)
    there = set(table.frame["image_id"])
    shared = [image for image in own if image in there]
    if not shared:
        raise DataError(f"{source} has none of the {len(own):,} {split} images of {cell.run_dir.path}")
    return table.select(shared)


def evaluate_on(cell: RunCell, name: str, source: str) -> Path:
    """Give the folder ``evaluation_on/NAME`` of a run, with ``predictions.csv`` and ``evaluation.json`` on a set.

    Scored are the images of the set that are in the run's own test split. Another source of the same name is scored
    anew.

    Raises
    ------
    LesionLensError
        The set or the model cannot be read.
    """
    folder = cell.run_dir.path / "evaluation_on" / name
    done = folder / "source.txt"  # written last: what lies beside it is whole
    if done.is_file() and done.read_text(encoding="utf-8") == source:
        return folder
    done.unlink(missing_ok=True)
    said = cell.recipe.data
    wanted = inputs_from_table(
        evaluation_subset(cell, source), said.task, mask_dir=Path(said.mask_dir) if said.mask_dir else None
    )
    scored = run_inference(load_model(cell.run_dir.best_model, device=cell.recipe.train.device), wanted)
    write_predictions(folder / "predictions.csv", scored.predictions)
    write_evaluation(folder / "evaluation.json", evaluate(scored.predictions))
    write_text(done, source)
    return folder


def localization_estimate(
    cell: RunCell, *, map_name: str, metric: str, source: str, folder: Path
) -> Estimate:
    """Give a measure of one map over the run's test images that have masks, with its interval over lesions.

    Parameters
    ----------
    map_name
        The map, as `evaluate_localization` names it; ``cam``, ``gradcam`` and their like are made by the method of the
        same name, all others by the network itself.
    source
        Where the images and masks are.
    folder
        Where it is kept; the maps of one method are all measured at once.

    Raises
    ------
    LesionLensError
        The network has no such map, or images, masks or the model cannot be read; remembered like a number.
    """
    method = next((each for each in METHODS if each.replace("+", "p") == map_name), "attention")
    found = _cached_summary(cell, method, source, folder / method)
    maps = list(dict.fromkeys(found["map"]))
    if map_name not in maps:
        has = ", ".join(maps) or "none"
        raise ModelError(
            f"this network has no map {map_name}; it has {has}. Name one in the table's YAML file"
        )
    row = found[(found["map"] == map_name) & (found["measure"] == metric)].iloc[0]
    return Estimate(metric, map_name, float(row["mean"]), float(row["low"]), float(row["high"]))


def _cached_summary(cell: RunCell, method: str, source: str, folder: Path) -> pd.DataFrame:
    """Give the summary of a method's maps; measure what was not measured, or not on this source."""
    done = folder / "measured.json"  # written last: what lies beside it is whole
    known = json.loads(done.read_text(encoding="utf-8")) if done.is_file() else {}
    if known.get("source") != source:
        done.unlink(missing_ok=True)
        known = {"source": source, "problem": _measure_maps(cell, method, source, folder)}
        write_text(done, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    if known["problem"]:
        raise ModelError(known["problem"])
    return pd.read_csv(folder / "summary.csv")


def _measure_maps(cell: RunCell, method: str, source: str, folder: Path) -> str:
    """Measure and write; say what went wrong, or ""."""
    masks = cell.recipe.data.mask_dir
    try:
        loaded = load_model(cell.run_dir.best_model, device=cell.recipe.train.device)
        table = evaluation_subset(cell, source)
        quality = evaluate_localization(
            loaded, table, methods=[method], mask_dir=Path(masks) if masks else None
        )
    except LesionLensError as error:
        return str(error)
    write_localization(folder, quality)
    return ""


ValueAndInterval = tuple[float, float, float]
COLUMN_METRICS = (*METRICS, *LocalizationMetrics._fields)  # what a column can be


class RunValue(NamedTuple):
    """The number of one run.

    Attributes
    ----------
    run, fold
        As of `RunCell`.
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
    """Give one number for each finished run of the row's variant that the column names, in order of run and fold.

    A mean or difference of columns is taken run by run, from numbers of the same run and fold; its interval joins
    those of the columns bound by bound and is therefore never too narrow.
    """
    metric = results.spec.column(column)
    if metric.mean_of:
        return _combine_columns(
            [run_values(results, row, each) for each in metric.mean_of], metric.mean_of, _mean
        )
    if metric.minus:
        return _combine_columns(
            [run_values(results, row, each) for each in metric.minus], metric.minus, _difference
        )
    return [_measure_run(results, cell, metric) for cell in results.cells_for(row, metric.variant)]


def column_weights(spec: TableSpec, column_spec: ColumnSpec) -> list[tuple[float, ColumnSpec]]:
    """Give the columns that are measured themselves and that a column adds up, each with its weight."""
    weights = (
        [1 / len(column_spec.mean_of)] * len(column_spec.mean_of) if column_spec.mean_of else [1.0, -1.0]
    )
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
        return (
            evaluate_on(cell, column_spec.artifact_set, results.artifact_sets[column_spec.artifact_set])
            / "predictions.csv"
        )
    return cell.run_dir.predictions(evaluation_split(cell))


def _measure_run(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> RunValue:
    measured_on = column_spec.artifact_set or evaluation_split(cell)
    try:
        found = _run_estimate(results, cell, column_spec)
    except LesionLensError as error:
        return RunValue(cell.run, cell.fold, math.nan, math.nan, math.nan, measured_on, str(error))
    return RunValue(cell.run, cell.fold, found.value, found.low, found.high, measured_on, found.caveat)


def _run_estimate(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Estimate:
    if column_spec.metric in LocalizationMetrics._fields:
        name = results.local_map_name(results.spec.row(cell.row).maps.get(column_spec.name, column_spec.map))
        source = (
            results.artifact_sets[column_spec.artifact_set]
            if column_spec.artifact_set
            else cell.recipe.data.source
        )
        folder = (
            cell.run_dir.path / "evaluation_on" / column_spec.artifact_set
            if column_spec.artifact_set
            else cell.run_dir.path
        ) / "quality"
        return localization_estimate(
            cell, map_name=name, metric=column_spec.metric, source=source, folder=folder
        )
    if column_spec.artifact_set:
        path = (
            evaluate_on(cell, column_spec.artifact_set, results.artifact_sets[column_spec.artifact_set])
            / "evaluation.json"
        )
    else:
        path = cell.run_dir.evaluation(evaluation_split(cell))
    return read_evaluation(path).estimate(column_spec.metric, column_spec.class_name)


def _combine_columns(
    columns: Sequence[Sequence[RunValue]],
    names: Sequence[str],
    combine: Callable[[Sequence[RunValue]], ValueAndInterval],
) -> list[RunValue]:
    """Join the numbers of each run; a run that a column lacks has none, and the note says which."""
    found = [{(each.run, each.fold): each for each in column} for column in columns]
    keys = {key for column in found for key in column}
    return [
        _combine_run(key, found, names, combine)
        for key in sorted(keys, key=lambda key: (key[0], key[1] or 0))
    ]


def _combine_run(
    key: tuple[int, int | None],
    columns: Sequence[dict[tuple[int, int | None], RunValue]],
    names: Sequence[str],
    combine: Callable[[Sequence[RunValue]], ValueAndInterval],
) -> RunValue:
    there = [column[key] for column in columns if key in column]
    measured_on = " and ".join(dict.fromkeys(each.measured_on for each in there))
    notes = [
        f"{name}: {column[key].note}" if key in column else f"{name} is missing"
        for name, column in zip(names, columns, strict=True)
        if key not in column or column[key].note
    ]
    numbers = combine(there) if len(there) == len(columns) else (math.nan, math.nan, math.nan)
    return RunValue(*key, *numbers, measured_on, "; ".join(notes))


def _mean(operands: Sequence[RunValue]) -> ValueAndInterval:
    value, low, high = (
        math.fsum(getattr(each, name) for each in operands) / len(operands)
        for name in ("value", "low", "high")
    )
    return value, low, high


def _difference(operands: Sequence[RunValue]) -> ValueAndInterval:
    first, second = operands
    return first.value - second.value, first.low - second.high, first.high - second.low
