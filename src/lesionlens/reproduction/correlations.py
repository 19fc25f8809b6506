"""Rank correlations of a run: of two quantities of its test images, of their crops, or of its epochs.

Quantities of images and crops are measured once, and saved in the run's folder under ``quality/``.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionlens.core.bootstrap import percentile_interval
from lesionlens.core.errors import LesionLensError, ModelError, RunError
from lesionlens.core.fileio import write_text
from lesionlens.core.json_file import read_json, write_json
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.rank_correlation import bootstrap_rank_correlation, rank_correlation
from lesionlens.evaluation.result import Estimate, EstimateCaveat
from lesionlens.explanation.crop_weights import measure_crop_weights
from lesionlens.explanation.map_agreement import measure_map_agreement
from lesionlens.explanation.methods import method_of_map
from lesionlens.models.saved_model import load_saved_model
from lesionlens.reproduction.column_spec import ColumnSpec, CorrelationSpec
from lesionlens.reproduction.evaluation_images import evaluation_subset
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.run_log import logged_column, read_run_log

UNVARIED_REASON = "there is no correlation: one of both quantities does not vary, or there is one epoch"


class CorrelationSample(NamedTuple):
    """A rank correlation and its values in bootstrap samples of the lesions, (r,); none of epochs."""

    value: float
    resampled: FloatArray
    num_lesions: int


def correlation_estimate(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> Estimate:
    """Return the rank correlation of a column in one run, with its interval over lesions.

    There is no interval over the epochs of a run, because they are not independent.

    Raises
    ------
    LesionLensError
        The quantities cannot be measured.
    """
    sample = sample_correlation(results, cell, column_spec)
    interval = percentile_interval(sample.resampled) if len(sample.resampled) else (math.nan, math.nan, 1.0)
    caveats = (EstimateCaveat(UNVARIED_REASON),) if math.isnan(sample.value) else ()
    return Estimate(column_spec.name, OVERALL, sample.value, interval[0], interval[1], caveats)


def sample_correlation(results: TableResults, cell: RunCell, column_spec: ColumnSpec) -> CorrelationSample:
    """Return the rank correlation of a column in one run, and its bootstrap samples.

    Raises
    ------
    LesionLensError
        The quantities cannot be measured.
    """
    correlation = column_spec.correlation
    if correlation is None:
        raise RunError(f"the column {column_spec.name} is not a correlation")
    if correlation.unit == "epochs":
        log = read_run_log(cell)
        values = log[logged_column(log, correlation.of[1])].dropna()
        rho = rank_correlation(values.index.to_numpy(dtype=float), values.to_numpy(dtype=float))
        return CorrelationSample(float(rho), np.array([]), 0)
    measure = _measure_images if correlation.unit == "images" else _measure_crops
    return _sample_file(measure(results, cell, column_spec, correlation), correlation)


def _measure_images(
    results: TableResults, cell: RunCell, column_spec: ColumnSpec, correlation: CorrelationSpec
) -> Path:
    """Compare the maps of the runs of two variants on the test images; return the file of the values."""
    map_name = results.local_map_name(column_spec.map)
    cells = [_partner(results, cell, variant) for variant in correlation.target_classes]
    classes = list(correlation.target_classes.values())

    def measure() -> Sequence[NamedTuple]:
        mask_dir = cell.recipe.data.mask_dir
        return measure_map_agreement(
            [load_saved_model(other.run_dir.best_model, device=other.recipe.train.device) for other in cells],
            evaluation_subset(cell, cell.recipe.data.source),
            method=method_of_map(map_name),
            map_name=map_name,
            target_classes=classes,
            mask_dir=Path(mask_dir) if mask_dir else None,
        )

    folder = cell.run_dir.path / "quality" / "map_agreement" / map_name
    runs = [f"{other.run_dir.path.name}, {name}" for other, name in zip(cells, classes, strict=True)]
    return _measured_file(folder, {"source": cell.recipe.data.source, "runs": runs}, measure)


def _partner(results: TableResults, cell: RunCell, variant: str) -> RunCell:
    """Return the finished run of a variant of the same row, repeat and fold."""
    for other in results.cells_for(cell.row, variant):
        if (other.run, other.fold) == (cell.run, cell.fold):
            return other
    raise RunError(f"the run of {variant} that this one is compared with is not finished")


def _measure_crops(results: TableResults, cell: RunCell, column_spec: ColumnSpec, _: CorrelationSpec) -> Path:
    """Measure the weights of the crops of all test images; return the file of the values."""
    map_name = results.local_map_name(column_spec.map)

    def measure() -> Sequence[NamedTuple]:
        mask_dir = cell.recipe.data.mask_dir
        return measure_crop_weights(
            load_saved_model(cell.run_dir.best_model, device=cell.recipe.train.device),
            evaluation_subset(cell, cell.recipe.data.source),
            map_name=map_name,
            mask_dir=Path(mask_dir) if mask_dir else None,
        )

    folder = cell.run_dir.path / "quality" / "crop_weights" / map_name
    return _measured_file(folder, {"source": cell.recipe.data.source}, measure)


def _measured_file(
    folder: Path, conditions: dict[str, object], measure: Callable[[], Sequence[NamedTuple]]
) -> Path:
    """Return the file of measured values, after measuring them if this was not done under these conditions."""
    marker, path = folder / "measured.json", folder / "values.csv"  # the marker is written last
    record = read_json(marker)
    if {key: record.get(key) for key in conditions} != conditions:
        marker.unlink(missing_ok=True)
        record = {**conditions, "problem": ""}
        try:
            write_text(path, pd.DataFrame(measure()).to_csv(index=False))
        except LesionLensError as error:
            record["problem"] = str(error)
        write_json(marker, record)
    if record.get("problem"):
        raise ModelError(str(record["problem"]))
    return path


def _sample_file(path: Path, correlation: CorrelationSpec) -> CorrelationSample:
    return _sample_cached(path, path.stat().st_mtime_ns, correlation.of, correlation.without_means_of)


@lru_cache(maxsize=64)
def _sample_cached(
    path: Path, _: int, of: tuple[str, str], without_means_of: tuple[str, ...]
) -> CorrelationSample:
    """Correlate the values of a file, for one state of it."""
    values = pd.read_csv(path, dtype={"image_id": str, "lesion_id": str})
    values = values.dropna(subset=list(of))
    x, y = (subtract_means(values, name, without_means_of).to_numpy() for name in of)
    lesions = values["lesion_id"].to_numpy(dtype=str)
    if len(np.unique(lesions)) < 2:
        raise RunError(f"{path} has values of fewer than two lesions: there is no correlation")
    return CorrelationSample(
        float(rank_correlation(x, y)), bootstrap_rank_correlation(x, y, lesions), len(np.unique(lesions))
    )


def subtract_means(values: pd.DataFrame, name: str, groups: Sequence[str]) -> pd.Series:
    """Return a quantity of crops less its mean in each image, then less the mean of each position over images.

    Parameters
    ----------
    values
        Crops with ``image_id`` and ``position``.
    name
        Column of the quantity.
    groups
        ``image`` and ``position``, or a part of them; empty: the quantity itself.
    """
    column = values[name].astype(float)
    for group in groups:
        key = values["image_id" if group == "image" else group]
        column = column - column.groupby(key).transform("mean")
    return column
