"""Values of a table's columns: one per run, with its interval over lesions or the reason why it is missing.

What a run did not measure itself, such as attention maps or generated artifact sets, is measured once and saved in the
run's folder under ``quality/`` and ``evaluation_on/``.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.errors import LesionLensError, ModelError
from lesionlens.core.fileio import write_text
from lesionlens.core.json_file import read_json, write_json
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import Estimate, EstimateCaveat, read_evaluation, write_evaluation
from lesionlens.explanation.localization import evaluate_localization
from lesionlens.explanation.localization_result import write_localization
from lesionlens.explanation.map_metrics import MASK_METRICS
from lesionlens.explanation.map_references import ReferenceFolders
from lesionlens.explanation.methods import method_of_map
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import inputs_from_table
from lesionlens.models.map_titles import FEATURE_MAP_PREFIX
from lesionlens.models.saved_model import load_saved_model
from lesionlens.reproduction.class_counts import COUNT_METRIC
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.correlations import correlation_estimate
from lesionlens.reproduction.evaluation_images import evaluation_split, evaluation_subset
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.run_log import last_logged_value
from lesionlens.reproduction.spec import TableSpec
from lesionlens.training.crop_draws import CropDraws

COLUMN_METRICS = (*METRICS, *MASK_METRICS, COUNT_METRIC)  # allowed values of ColumnSpec.metric

ValueAndInterval = tuple[float, float, float]
RunKey = tuple[int, int | None]


class RunValue(NamedTuple):
    """Value of one run in one column.

    Attributes
    ----------
    run, fold
        Repeat and fold, as of `RunCell`.
    value, low, high
        Value as a fraction, and its 95 % interval over lesions; NaN if undefined.
    measured_on
        ``test``, ``validation`` or the name of a generated set; several are joined by "and".
    note
        Reason why the value is missing, or a remark on it; "" if there is none.
    """

    run: int
    fold: int | None
    value: float
    low: float
    high: float
    measured_on: str = ""
    note: str = ""


def run_values(results: TableResults, row: str, column: str) -> list[RunValue]:
    """Return the value of each finished run of a row in a column, in order of run and fold.

    A mean or difference of columns is computed run by run, from values of the same run and fold. Its interval combines
    the bounds of those columns, and is therefore never too narrow.
    """
    column_spec = results.spec.column(column)
    if results.spec.row(row).counts:
        return _count(results, row, column_spec)
    if column_spec.mean_of:
        return _combine_columns(results, row, column_spec.mean_of, _mean)
    if column_spec.difference_of:
        return _combine_columns(results, row, column_spec.difference_of, _difference)
    return [
        _measure_run(results, cell, column_spec) for cell in results.cells_for(row, column_spec.variants[0])
    ]


def _count(results: TableResults, row: str, column_spec: ColumnSpec) -> list[RunValue]:
    """Return the number of images of a column's class; 0 if the dataset lacks the class, none without the dataset."""
    counts = results.spec.row(row).counts
    if counts is None or row not in results.class_counts:
        return []
    number = float(results.class_counts[row].get(column_spec.class_name, 0))
    return [RunValue(0, None, number, math.nan, math.nan, counts.split or counts.dataset)]


def column_weights(spec: TableSpec, column_spec: ColumnSpec) -> list[tuple[float, ColumnSpec]]:
    """Return the base columns whose weighted sum a column is, each with its weight."""
    columns = [spec.column(name) for name in (*column_spec.mean_of, *column_spec.difference_of)]
    if not columns:
        return [(1.0, column_spec)]
    weights = [1 / len(columns)] * len(columns) if column_spec.mean_of else [1.0, -1.0]
    return [
        (weight * leaf_weight, leaf)
        for weight, column in zip(weights, columns, strict=True)
        for leaf_weight, leaf in column_weights(spec, column)
    ]


def base_columns(spec: TableSpec, column_spec: ColumnSpec) -> list[ColumnSpec]:
    """Return the measured columns that a column is computed from; a measured column is its own."""
    return [leaf for _, leaf in column_weights(spec, column_spec)]


def predictions_path(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Path:
    """Return the file of predictions behind a run's value in a column."""
    if column_spec.artifact_set:
        return _evaluate_on_set(results, cell, column_spec) / "predictions.csv"
    return cell.run_dir.predictions(evaluation_split(cell))


def _measure_run(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> RunValue:
    """Return the value of a run in a measured column; an error becomes its note."""
    column_spec = results.spec.measured_column(cell.row, column_spec.name)
    measured_on = column_spec.measured_on or evaluation_split(cell)
    try:
        estimate = _run_estimate(results, cell, column_spec)
    except LesionLensError as error:
        return RunValue(cell.run, cell.fold, math.nan, math.nan, math.nan, measured_on, str(error))
    return RunValue(
        cell.run, cell.fold, estimate.value, estimate.low, estimate.high, measured_on, estimate.caveat
    )


def _run_estimate(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Estimate:
    artifact_set = column_spec.artifact_set
    if column_spec.correlation:
        return correlation_estimate(results, cell, column_spec)
    if column_spec.logged:
        return last_logged_value(cell, column_spec.logged)
    if column_spec.metric in MASK_METRICS:
        run_dir = cell.run_dir.path
        return localization_estimate(
            cell,
            map_name=results.local_map_name(column_spec.map),
            metric=column_spec.metric,
            images=column_spec.images,
            source=results.artifact_sets[artifact_set] if artifact_set else cell.recipe.data.source,
            folder=(run_dir / "evaluation_on" / artifact_set if artifact_set else run_dir) / "quality",
        )
    if column_spec.crop_draws:
        return _crop_draws_estimate(cell, column_spec)
    if artifact_set:
        path = _evaluate_on_set(results, cell, column_spec) / "evaluation.json"
    else:
        path = cell.run_dir.evaluation(evaluation_split(cell))
    return read_evaluation(path).estimate(column_spec.metric, column_spec.scope)


def crop_draw_values(cell: RunCell, column_spec: ColumnSpec) -> NDArray[np.float64]:
    """Return the value of a column in each draw of a run's random test crops, (draws,); predictions are saved.

    Raises
    ------
    LesionLensError
        The test crops of the run are not random, or the model or the images cannot be read.
    """
    draws = CropDraws(
        cell.run_dir, column_spec.crop_draws, evaluation_split(cell), device=cell.recipe.train.device
    )
    return draws.metric_values(column_spec.metric, column_spec.scope)


def _crop_draws_estimate(cell: RunCell, column_spec: ColumnSpec) -> Estimate:
    """Return the mean of a metric over draws of the test crops, or its standard deviation."""
    values = crop_draw_values(cell, column_spec)
    value = float(values.std(ddof=1) if column_spec.spread else values.mean())
    return Estimate(column_spec.metric, column_spec.scope, value, math.nan, math.nan)


def _evaluate_on_set(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Path:
    return evaluate_on(cell, column_spec.artifact_set, results.artifact_sets[column_spec.artifact_set])


def evaluate_on(cell: RunCell, name: str, source: str) -> Path:
    """Evaluate a run on a generated set, unless this was done before.

    Only images of the run's own evaluation split count.

    Returns
    -------
    Path
        The folder ``evaluation_on/NAME`` with ``predictions.csv`` and ``evaluation.json``. Files of another source with
        the same name are replaced.

    Raises
    ------
    LesionLensError
        The set or the model cannot be read.
    """
    folder = cell.run_dir.path / "evaluation_on" / name
    marker = folder / "source.txt"  # written last: if it exists, the other files are complete
    if marker.is_file() and marker.read_text(encoding="utf-8") == source:
        return folder
    marker.unlink(missing_ok=True)
    data = cell.recipe.data
    inputs = inputs_from_table(
        evaluation_subset(cell, source), data.task, mask_dir=Path(data.mask_dir) if data.mask_dir else None
    )
    loaded = load_saved_model(cell.run_dir.best_model, device=cell.recipe.train.device)
    scored = run_inference(open_engine(loaded, "torch", num_images=len(inputs.image)), loaded.card, inputs)
    write_predictions(folder / "predictions.csv", scored.predictions)
    write_evaluation(folder / "evaluation.json", evaluate(scored.predictions))
    write_text(marker, source)
    return folder


def localization_estimate(
    cell: RunCell, *, map_name: str, metric: str, source: str, folder: Path, images: str = ""
) -> Estimate:
    """Measure an attention map against masks of the run's test images, with its interval over lesions.

    Parameters
    ----------
    map_name
        Map, as `evaluate_localization` names it. ``cam``, ``gradcam`` and other methods of explanation produce the map
        of their name; ``features-layer4.2`` is the attention feature map of a block, in a small network without it that
        of the stage's last block; all others are the network's own maps.
    metric
        One of `MASK_METRICS`.
    source
        Data source of images and masks.
    folder
        Folder in which results are saved; all maps of a method are measured together.
    images
        As `ColumnSpec.images`.

    Raises
    ------
    LesionLensError
        The network has no such map, or images, masks or the model cannot be read. This is saved like a value.
    """
    method = method_of_map(map_name)
    subset, _, artifact = images.partition(" ")
    folder = folder / method
    means = _localization_means(cell, method, source, folder, by_artifact=bool(artifact))
    shown = _measured_map(map_name, list(dict.fromkeys(means["map"])))
    caveats = () if shown == map_name else (EstimateCaveat(f"there is no {map_name} here; {shown} is shown"),)
    rows = means[(means["map"] == shown) & (means["measure"] == metric)]
    if artifact:
        rows = rows[rows["artifact"] == artifact]
    if rows.empty:
        needed = f"labels of images with and without {artifact}" if artifact else "masks of these images"
        raise ModelError(
            f"{metric} of {map_name} needs {needed}: add the files of docs/datasets.md and delete {folder}"
        )
    names = (subset, f"{subset}_low", f"{subset}_high") if subset else ("mean", "low", "high")
    value, low, high = (float(rows.iloc[0][name]) for name in names)
    return Estimate(metric, map_name, value, low, high, caveats)


def _measured_map(map_name: str, maps: Sequence[str]) -> str:
    """Return a measured map; of a block that a small network lacks, that of the last block of its stage."""
    of_stage = [name for name in maps if name.partition(".")[0] == map_name.partition(".")[0]]
    if map_name.startswith(FEATURE_MAP_PREFIX) and map_name not in maps and of_stage:
        return of_stage[-1]
    if map_name not in maps:
        raise ModelError(
            f"this network has no map {map_name}; it has {', '.join(maps) or 'none'}. "
            "Name one of these in the table's YAML file"
        )
    return map_name


def _localization_means(
    cell: RunCell, method: str, source: str, folder: Path, *, by_artifact: bool
) -> pd.DataFrame:
    """Read the means of a method's maps, after measuring them if this was not done on this source."""
    marker = folder / "measured.json"  # written last: if it exists, the other files are complete
    record = read_json(marker)
    measured = {"source": source, "metrics": list(MASK_METRICS)}
    if {name: record.get(name) for name in measured} != measured:
        marker.unlink(missing_ok=True)
        record = {**measured, "problem": _measure_maps(cell, method, source, folder)}
        write_json(marker, record)
    if record.get("problem"):
        raise ModelError(record["problem"])
    path = folder / ("by_artifact.csv" if by_artifact else "summary.csv")
    if not path.is_file():
        raise ModelError(
            "there are no labels of artifacts for these images: write a file artifacts.csv, as docs/datasets.md "
            f"describes it, and delete {folder}"
        )
    return pd.read_csv(path)


def _measure_maps(cell: RunCell, method: str, source: str, folder: Path) -> str:
    """Measure the maps of a method and write the results; return the error message, or "" on success."""
    mask_dir = cell.recipe.data.mask_dir
    try:
        loaded = load_saved_model(cell.run_dir.best_model, device=cell.recipe.train.device)
        table = evaluation_subset(cell, source)
        folders = ReferenceFolders(lesion_masks=Path(mask_dir) if mask_dir else None)
        quality = evaluate_localization(loaded, table, methods=[method], folders=folders)
    except LesionLensError as error:
        return str(error)
    write_localization(folder, quality)
    return ""


def _combine_columns(
    results: TableResults,
    row: str,
    names: Sequence[str],
    combine: Callable[[Sequence[RunValue]], ValueAndInterval],
) -> list[RunValue]:
    """Combine the columns ``names`` run by run; a run that lacks one of them has no value, and the note names it."""
    columns = [{(value.run, value.fold): value for value in run_values(results, row, name)} for name in names]
    keys = sorted({key for column in columns for key in column}, key=lambda key: (key[0], key[1] or 0))
    return [_combine_run(key, columns, names, combine) for key in keys]


def _combine_run(
    key: RunKey,
    columns: Sequence[dict[RunKey, RunValue]],
    names: Sequence[str],
    combine: Callable[[Sequence[RunValue]], ValueAndInterval],
) -> RunValue:
    available = [column[key] for column in columns if key in column]
    measured_on = " and ".join(dict.fromkeys(value.measured_on for value in available))
    notes = [
        f"{name}: {column[key].note}" if key in column else f"{name} is missing"
        for name, column in zip(names, columns, strict=True)
        if key not in column or column[key].note
    ]
    complete = len(available) == len(columns)
    value, low, high = combine(available) if complete else (math.nan, math.nan, math.nan)
    return RunValue(*key, value, low, high, measured_on, "; ".join(notes))


def _mean(values: Sequence[RunValue]) -> ValueAndInterval:
    value, low, high = (
        math.fsum(getattr(run, field) for run in values) / len(values) for field in ("value", "low", "high")
    )
    return value, low, high


def _difference(values: Sequence[RunValue]) -> ValueAndInterval:
    first, second = values
    return first.value - second.value, first.low - second.high, first.high - second.low
