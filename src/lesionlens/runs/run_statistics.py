"""Each metric over the runs of a group: mean, spread and the interval of the mean."""

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from scipy import stats

from lesionlens.core.fileio import atomic_write
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, display_name
from lesionlens.evaluation.registry import metric_title
from lesionlens.evaluation.result import EvaluationResult

AVERAGE_TITLES = {"macro": "mean of classes", "weighted": "weighted mean", "all": "all images"}
COLUMN_TITLES = ("metric", "scope", "mean", "std", "std (n)", "min", "max", "95 % interval", "n")
CONFIDENCE = 0.95
_EQUALITY_TOLERANCE = 1e-12  # runs that differ by less are all alike
MIN_RUNS = 3  # runs; with two the factor is 12.7, and intervals hold all there is
SUMMARY_FOOTNOTE = (
    "`std` divides by n - 1, `std (n)` by n (as Gessert et al. report). The interval is Student's for the mean over "
    "independent runs, cut at 0 and 1; of fewer than three runs, or of runs that are all alike, there is none. Folds "
    "share training images and are not quite independent: their interval is somewhat narrow. n: runs in which the "
    "number is defined."
)


class MetricStatistics(NamedTuple):
    """One metric over n runs; NaN where it is not defined.

    Attributes
    ----------
    std, std_population
        Standard deviation with n - 1, and with n.
    low, high
        95 % interval of the mean: Student's t with n - 1 degrees of freedom.
    """

    mean: float
    std: float
    std_population: float
    min: float
    max: float
    n: int
    low: float
    high: float


def summarize(values: Sequence[float]) -> MetricStatistics:
    """Sum up the values of n runs; those that are not finite do not count.

    Examples
    --------
    >>> found = summarize([0.8, 0.9, math.nan])
    >>> round(found.mean, 3), round(found.std, 4), round(found.std_population, 4), found.n
    (0.85, 0.0707, 0.05, 2)
    """
    known = np.array([value for value in values if math.isfinite(value)])
    n = len(known)
    if n == 0:
        return MetricStatistics(math.nan, math.nan, math.nan, math.nan, math.nan, 0, math.nan, math.nan)
    mean = float(known.mean())
    alike = float(np.ptp(known)) < _EQUALITY_TOLERANCE
    std = (0.0 if alike else float(known.std(ddof=1))) if n > 1 else math.nan
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * std / math.sqrt(n) if n > 1 else math.nan
    population = 0.0 if alike else float(known.std())
    return MetricStatistics(
        mean, std, population, float(known.min()), float(known.max()), n, mean - half, mean + half
    )


def summarize_fractions(values: Sequence[float]) -> MetricStatistics:
    """Sum up values that lie between 0 and 1: the interval is cut there.

    Of fewer than three runs, or of runs that are all alike, there is none: with two it would hold all there is, and
    with no spread it would claim to know the mean exactly.
    """
    found = summarize(values)
    if found.n < MIN_RUNS or found.std == 0:
        return found._replace(low=math.nan, high=math.nan)
    return found._replace(low=max(0.0, found.low), high=min(1.0, found.high))


def summarize_runs(evaluations: Mapping[str, EvaluationResult]) -> pd.DataFrame:
    """Give one row for each metric and class: its numbers over the runs, then the value of each run by name."""
    values: dict[tuple[str, str], dict[str, float]] = {}
    for run, evaluation in evaluations.items():
        for each in evaluation.estimates:
            values.setdefault((each.metric, each.scope), {})[run] = each.value
    rows = []
    for (metric, scope), found in values.items():
        all_runs = {run: found.get(run, math.nan) for run in evaluations}
        rows.append(
            {
                "metric": metric,
                "scope": scope,
                **summarize_fractions(list(all_runs.values()))._asdict(),
                **all_runs,
            }
        )
    return pd.DataFrame(rows)


def write_summary(path: Path, table: pd.DataFrame) -> None:
    """Write a summary as CSV, atomically."""
    with atomic_write(path) as file:
        table.to_csv(file, index=False)


def read_summary(path: Path) -> pd.DataFrame:
    """Read what `write_summary` wrote; a class may well be called ``none``."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def build_summary_table(table: pd.DataFrame) -> Table:
    """Lay out for `rich` what is said of all classes together, and of the sought one where there are two."""
    classes = list(dict.fromkeys(table["scope"][~table["scope"].isin(AVERAGE_TITLES)]))
    shown = table[table["scope"].isin([*AVERAGE_TITLES, *(classes[1:] if len(classes) == 2 else [])])]
    laid_out = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, head in enumerate(COLUMN_TITLES):
        laid_out.add_column(head, justify="left" if place < 2 else "right")
    for row in shown.to_dict("records"):
        laid_out.add_row(*format_row(row))
    return laid_out


def markdown_page(table: pd.DataFrame, *, title: str, split: str, num_runs: int) -> str:
    """Write the summary as Markdown; ``num_runs`` says how many there should be."""
    done = len(table.columns) - 2 - len(MetricStatistics._fields)
    lines = [f"# {title}", "", f"The {split} part over {done} of {num_runs} runs.", ""]
    rows = [
        COLUMN_TITLES,
        ["---"] * len(COLUMN_TITLES),
        *(format_row(row) for row in table.to_dict("records")),
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", SUMMARY_FOOTNOTE, "", RESEARCH_USE_NOTICE, ""])


def format_row(row: Mapping[Hashable, object]) -> list[str]:
    """Write one row of the summary for people, in the order of ``COLUMN_TITLES``."""
    number = {name: _format_value(float(str(row[name]))) for name in MetricStatistics._fields}
    metric, scope = str(row["metric"]), str(row["scope"])
    spread = [number[name] for name in ("mean", "std", "std_population", "min", "max")]
    interval = f"{number['low']} to {number['high']}"
    return [
        metric_title(metric),
        AVERAGE_TITLES.get(scope, display_name(scope)),
        *spread,
        interval,
        str(row["n"]),
    ]


def _format_value(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else UNDEFINED_SYMBOL
