"""Values that a run logged in every epoch, such as the scale gates ``alpha/layer4.2`` (``metrics.csv``)."""

import math

import pandas as pd

from lesionlens.core.errors import RunError
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.result import Estimate, EstimateCaveat
from lesionlens.reproduction.planner import RunCell

SCALE_PREFIXES = ("alpha/", "gamma/")


def read_run_log(cell: RunCell) -> pd.DataFrame:
    """Read the logged values of a run, one row per epoch.

    Raises
    ------
    RunError
        The file does not exist or has no epochs.
    """
    try:
        return pd.read_csv(cell.run_dir.metrics_csv).set_index("epoch")
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read the epochs of the run {cell.run_dir.path}: {error}") from error


def block_name(column: str) -> str:
    """Return the block of a scale gate's column: ``layer4.2`` of ``alpha/layer4.2``."""
    return column.partition("/")[2]


def stage_name(column: str) -> str:
    """Return the stage of a scale gate's column: ``layer4`` of ``alpha/layer4.2``."""
    return block_name(column).split(".")[0]


def logged_column(log: pd.DataFrame, name: str) -> str:
    """Return the column of a name, or of a scale gate that a small network lacks that of the stage's last block.

    Raises
    ------
    RunError
        The log has neither.
    """
    available = [str(column) for column in log if log[column].notna().any()]
    last = {stage_name(column): column for column in available if column.startswith(SCALE_PREFIXES)}
    column = name if name in available else last.get(stage_name(name), "")
    if not column:
        raise RunError(f"metrics.csv has no column {name}; it has {', '.join(available)}")
    return column


def last_logged_value(cell: RunCell, name: str) -> Estimate:
    """Return the value of a logged column in the last epoch; it has no interval.

    Raises
    ------
    RunError
        The log cannot be read, or has no such column.
    """
    log = read_run_log(cell)
    column = logged_column(log, name)
    value = float(log[column].dropna().iloc[-1])
    caveats = () if column == name else (EstimateCaveat(f"there is no {name} here; {column} is shown"),)
    return Estimate(name, OVERALL, value, math.nan, math.nan, caveats)
