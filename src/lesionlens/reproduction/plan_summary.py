"""Summary of a plan before anything is computed: runs, images, hours."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lesionlens.core.console import activity, print_line
from lesionlens.core.errors import LesionLensError, unknown_name_message
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.registry import Aggregate
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.planner import TablePlan
from lesionlens.reproduction.reproduce import Reproduction
from lesionlens.reproduction.run_state import read_failure
from lesionlens.reproduction.runtime_estimate import RuntimeEstimate, estimate_runtime

SECONDS_PER_HOUR = 3600.0


class PlanSummary(NamedTuple):
    """Number of runs left, their hours on this machine, and the reasons why some cannot be run."""

    runs_left: int
    hours: float
    problems: tuple[str, ...]


def print_plan(reproduction: Reproduction, console: Console, *, retry_failed: bool) -> PlanSummary:
    """Print the plan and return its summary."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("table", "rows", "runs", "done", "failed", "images", "hours"):
        table.add_column(head, justify="left" if head == "table" else "right")
    estimates: dict[str, RuntimeEstimate] = {}
    problems: list[str] = []
    with activity(console, "planning: checking data and networks, timing a few steps"):
        for plan in reproduction.plans:
            _add_plan_row(table, plan, reproduction, estimates, problems, retry_failed=retry_failed)
    left = _jobs_left(reproduction.jobs(), reproduction, retry_failed=retry_failed)
    hours = _total_hours(left, estimates)
    console.print(table)
    for name, reason in reproduction.skipped.items():
        print_line(console, reason, label=f"skipped {name}:", label_style="yellow")
    for problem in dict.fromkeys(problems):
        print_line(console, problem, label="cannot be run:", label_style="red")
    console.print(
        f"{pluralize(len(left), 'run')} left, about {format_hours(hours)} in one process on this machine. Early "
        "stopping shortens this; reading images and measuring maps adds to it. Identical rows, of one table or of "
        "several, are run once.",
        highlight=False,
        markup=False,
    )
    return PlanSummary(len(left), hours, tuple(problems))


def _add_plan_row(
    table: Table,
    plan: TablePlan,
    reproduction: Reproduction,
    estimates: dict[str, RuntimeEstimate],
    problems: list[str],
    *,
    retry_failed: bool,
) -> None:
    """Add a row for one table, and the estimates of its runs to ``estimates``."""
    out, jobs = reproduction.options.out, plan.jobs()
    images = 0
    for row in plan.requested_rows:
        for variant in plan.spec.recipes_of(plan.spec.row(row)):
            similar = [run.job for run in plan.runs if (run.row, run.variant) == (row, variant)]
            try:
                estimate = estimates.get(similar[0].key) or estimate_runtime(
                    similar[0], out, similar_runs=similar
                )
            except LesionLensError as error:
                problems.append(f"{plan.name}, {row}: {error}")
                continue
            images = max(images, estimate.num_images)
            problems += _undefined_columns(plan, variant, estimate.classes)
            estimates.update(dict.fromkeys([job.key for job in similar], estimate))
    done, failed = _count_jobs(jobs, reproduction)
    hours = _total_hours(_jobs_left(jobs, reproduction, retry_failed=retry_failed), estimates)
    cells = (plan.name, len(plan.requested_rows), len(jobs), done, failed, f"{images:,}", format_hours(hours))
    table.add_row(*map(str, cells))


def _jobs_left(jobs: Sequence[Job], reproduction: Reproduction, *, retry_failed: bool) -> list[Job]:
    out = reproduction.options.out
    return [
        job for job in jobs if not job.is_finished(out) and (retry_failed or not read_failure(out, job.key))
    ]


def _total_hours(jobs: Sequence[Job], estimates: Mapping[str, RuntimeEstimate]) -> float:
    return sum(estimates[job.key].seconds for job in jobs if job.key in estimates) / SECONDS_PER_HOUR


def _undefined_columns(plan: TablePlan, variant: str, classes: Sequence[str]) -> list[str]:
    """Return a message for each column of a variant whose class does not exist in its task."""
    allowed = [*Aggregate, *classes]
    return [
        f"{plan.name}, column {column.name}: "
        + unknown_name_message("class", column.class_name, map(str, allowed))
        for column in plan.spec.columns
        if column.metric and not column.map and column.variant == variant and column.scope not in allowed
    ]


def _count_jobs(jobs: Sequence[Job], reproduction: Reproduction) -> tuple[int, int]:
    out = reproduction.options.out
    return sum(job.is_finished(out) for job in jobs), sum(bool(read_failure(out, job.key)) for job in jobs)


def format_hours(hours: float) -> str:
    """Format a number of hours.

    Examples
    --------
    >>> [format_hours(hours) for hours in (0, 0.004, 0.4, 3.26, 1234)]
    ['0', '< 1 min', '24 min', '3.3 h', '1,234 h']
    """
    if hours == 0:
        return "0"
    if hours < 1 / 60:
        return "< 1 min"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
