"""Statistics of each metric over several runs: mean, standard deviation, and confidence interval of the mean."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from scipy import stats

from lesionlens.core.fileio import atomic_write
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL, format_scope
from lesionlens.evaluation.metric import Aggregate, MetricKey
from lesionlens.evaluation.registry import metric_title
from lesionlens.evaluation.result import EvaluationResult

_TEXT_COLUMNS = ("metric", "class", "aggregate")
COLUMN_TITLES = ("metric", "scope", "mean", "std", "std (n)", "min", "max", "95 % interval", "n")
CONFIDENCE = 0.95
MIN_RUNS = 3  # with two runs Student's factor is 12.7, and the interval contains almost all possible values
SUMMARY_FOOTNOTE = (
    "`std` divides by n - 1, `std (n)` by n (as reported by Gessert et al.). The interval is Student's t interval of "
    "the mean over independent runs, clipped to [0, 1]. There is no interval for fewer than three runs or for runs "
    "with equal values. Folds have training images in common and are not fully independent, so that their interval "
    "is slightly too narrow. n: number of runs in which the metric is defined."
)
_EQUALITY_TOLERANCE = 1e-12  # runs that differ by less are equal


class MetricStatistics(NamedTuple):
    """Statistics of one metric over n runs; NaN if not defined.

    Attributes
    ----------
    mean
        Mean over the runs.
    std, std_population
        Standard deviation with divisor n - 1, and with divisor n.
    min, max
        Smallest and largest value.
    n
        Number of runs in which the metric is defined.
    low, high
        95 % confidence interval of the mean: Student's t with n - 1 degrees of freedom.
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
    """Compute the statistics of one value per run; values that are not finite are ignored.

    Examples
    --------
    >>> statistics = summarize([0.8, 0.9, math.nan])
    >>> round(statistics.mean, 3), round(statistics.std, 4), round(statistics.std_population, 4), statistics.n
    (0.85, 0.0707, 0.05, 2)
    """
    finite = np.array([value for value in values if math.isfinite(value)])
    n = len(finite)
    if n == 0:
        return MetricStatistics(math.nan, math.nan, math.nan, math.nan, math.nan, 0, math.nan, math.nan)
    mean = float(finite.mean())
    all_equal = float(np.ptp(finite)) < _EQUALITY_TOLERANCE
    std = (0.0 if all_equal else float(finite.std(ddof=1))) if n > 1 else math.nan
    half_width = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * std / math.sqrt(n) if n > 1 else math.nan
    return MetricStatistics(
        mean=mean,
        std=std,
        std_population=0.0 if all_equal else float(finite.std()),
        min=float(finite.min()),
        max=float(finite.max()),
        n=n,
        low=mean - half_width,
        high=mean + half_width,
    )


def summarize_fractions(values: Sequence[float]) -> MetricStatistics:
    """Compute the statistics of values from 0 to 1, with the interval clipped to that range.

    There is no interval for fewer than three runs, which would contain almost all possible values, or for runs with
    equal values, which would claim that the mean is known exactly.
    """
    statistics = summarize(values)
    if statistics.n < MIN_RUNS or statistics.std == 0:
        return statistics._replace(low=math.nan, high=math.nan)
    return statistics._replace(low=max(0.0, statistics.low), high=min(1.0, statistics.high))


def summarize_runs(evaluations: Mapping[str, EvaluationResult]) -> pd.DataFrame:
    """Return one row per metric and class or aggregate: statistics over the runs, then the value in each run by name.

    Of the columns ``class`` and ``aggregate``, one is empty in each row.
    """
    values: dict[MetricKey, dict[str, float]] = {}
    for run, evaluation in evaluations.items():
        for estimate in evaluation.estimates:
            values.setdefault((estimate.metric, estimate.scope), {})[run] = estimate.value
    rows = []
    for (metric, scope), by_run in values.items():
        all_runs = {run: by_run.get(run, math.nan) for run in evaluations}
        statistics = summarize_fractions(list(all_runs.values()))
        class_name, aggregate = (scope, "") if isinstance(scope, str) else ("", str(scope))
        rows.append(
            {
                "metric": metric,
                "class": class_name,
                "aggregate": aggregate,
                **statistics._asdict(),
                **all_runs,
            }
        )
    return pd.DataFrame(rows)


def write_summary(path: Path, table: pd.DataFrame) -> None:
    """Write a summary as CSV, atomically."""
    with atomic_write(path) as file:
        table.to_csv(file, index=False)


def read_summary(path: Path) -> pd.DataFrame:
    """Read a file written by `write_summary`; classes named ``none`` or ``1`` are text."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(_TEXT_COLUMNS, str))
    return table.fillna(dict.fromkeys(_TEXT_COLUMNS, ""))


def build_summary_table(table: pd.DataFrame) -> Table:
    """Build a `rich` table of the averages over classes and, of two classes, the positive one."""
    return build_table(COLUMN_TITLES, [format_row(row) for row in main_rows(table)])


def main_rows(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Return the rows of the averages over classes and, of two classes, the positive one."""
    classes = list(dict.fromkeys(table["class"][table["class"] != ""]))
    positive_class = classes[1:] if len(classes) == 2 else []
    return table[table["class"].isin(["", *positive_class])].to_dict("records")


def build_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Build a `rich` table whose first two columns are text and whose other columns are numbers."""
    rich_table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for index, title in enumerate(titles):
        rich_table.add_column(title, justify="left" if index < 2 else "right")
    for row in rows:
        rich_table.add_row(*map(Text, row))
    return rich_table


def markdown_page(table: pd.DataFrame, *, title: str, split: str, num_runs: int) -> str:
    """Format a summary as a Markdown page.

    Parameters
    ----------
    table
        Summary of the finished runs.
    title
        Title of the page.
    split
        Split on which the runs were evaluated.
    num_runs
        Number of all runs, including unfinished ones.
    """
    num_finished = len(table.columns) - len(_TEXT_COLUMNS) - len(MetricStatistics._fields)
    lines = [f"# {title}", "", f"Results on the {split} split over {num_finished} of {num_runs} runs.", ""]
    rows = [
        COLUMN_TITLES,
        ["---"] * len(COLUMN_TITLES),
        *([cell.replace("|", r"\|") for cell in format_row(row)] for row in table.to_dict("records")),
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", SUMMARY_FOOTNOTE, "", RESEARCH_USE_NOTICE, ""])


def format_row(row: Mapping[Hashable, object]) -> list[str]:
    """Format one row of a summary in the order of ``COLUMN_TITLES``."""
    numbers = {name: format_fraction(float(str(row[name]))) for name in MetricStatistics._fields}
    return [
        *metric_cells(row),
        *(numbers[name] for name in ("mean", "std", "std_population", "min", "max")),
        UNDEFINED_SYMBOL if math.isnan(float(str(row["low"]))) else f"{numbers['low']} to {numbers['high']}",
        str(row["n"]),
    ]


def metric_cells(row: Mapping[Hashable, object]) -> list[str]:
    """Return the title of a row's metric and its scope in words."""
    class_name = str(row["class"])
    return [metric_title(str(row["metric"])), format_scope(class_name or Aggregate(row["aggregate"]))]


def format_fraction(value: float) -> str:
    """Return a fraction with three decimals, or the symbol of undefined values."""
    return f"{value:.3f}" if math.isfinite(value) else UNDEFINED_SYMBOL
