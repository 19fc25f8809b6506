"""Fraction of a metric's variance over trainings that comes from random test crops, for the page of a table."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import LesionLensError
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.measurements import crop_draw_values
from lesionlens.reproduction.planner import TableResults
from lesionlens.runs.variance_components import VarianceComponents, variance_components

CROP_VARIANCE_TITLES = (
    "Row",
    "Column",
    "Runs × draws",
    "SD over draws",
    "SD over runs",
    "Due to crops",
    "95 % interval",
)


class CropVariance(NamedTuple):
    """Variance components of a column over the runs of a row and the draws of their test crops, as fractions."""

    row: str
    column: str
    num_runs: int
    num_draws: int
    components: VarianceComponents


def crop_variances(results: TableResults) -> Iterator[CropVariance]:
    """Yield the variance components of each row in each column that has draws of test crops."""
    columns = [column for column in results.spec.columns if column.crop_draws and not column.spread]
    for row in results.spec.rows:
        yield from filter(None, (_crop_variance(results, row.name, column) for column in columns))


def crop_variance_rows(results: TableResults) -> list[tuple[str, ...]]:
    """Return the formatted cells of each line, in the order of ``CROP_VARIANCE_TITLES`` and the unit of the table."""
    scale, digits = (100, 2) if results.spec.unit == "percent" else (1, 4)
    return [
        (
            line.row, line.column, f"{line.num_runs} × {line.num_draws}",
            _format(scale * line.components.std_within, digits), _format(scale * line.components.std_between, digits),
            *_format_fraction(line.components),
        )
        for line in crop_variances(results)
    ]  # fmt: skip


def _crop_variance(results: TableResults, row: str, column: ColumnSpec) -> CropVariance | None:
    """Return the components of one row and column; None if no run has draws, as the cell's note says."""
    cells = results.cells_for(row, column.variant)
    try:
        values = [crop_draw_values(cell, column) for cell in cells]
    except LesionLensError:
        return None
    if not values:
        return None
    return CropVariance(
        row, column.name, len(values), column.crop_draws, variance_components(np.stack(values))
    )


def _format_fraction(components: VarianceComponents) -> tuple[str, str]:
    """Return the fraction and its interval in percent; undefined with one run."""
    if not np.isfinite(components.low):
        return _format(100 * components.fraction_within, 0, " %"), UNDEFINED_SYMBOL
    low, high = (f"{100 * bound:.0f}" for bound in (components.low, components.high))
    return _format(100 * components.fraction_within, 0, " %"), f"{low}–{high} %"


def _format(value: float, digits: int, unit: str = "") -> str:
    return f"{value:.{digits}f}{unit}" if np.isfinite(value) else UNDEFINED_SYMBOL
