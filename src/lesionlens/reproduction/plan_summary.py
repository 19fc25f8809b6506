"""The plan as a person sees it before anything is computed: runs, images, hours."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lesionlens.core.errors import LesionLensError, unknown_name_message
from lesionlens.datasets.issues import pluralize
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.planner import TablePlan
from lesionlens.reproduction.reproduce import Reproduction
from lesionlens.reproduction.runner import read_failure
from lesionlens.reproduction.runtime_estimate import RuntimeEstimate, estimate_runtime

SECONDS_PER_HOUR = 3600.0
COLUMN_AVERAGES = ("macro", "weighted", "all")  # of a metric, in place of one class


class PlanSummary(NamedTuple):
    """Runs that are left, their hours on this machine, and why some cannot be run."""

    runs_left: int
    hours: float
    problems: tuple[str, ...]


def print_plan(reproduction: Reproduction, console: Console, *, retry_failed: bool) -> PlanSummary:
    """Print the plan, and give what is expected of it."""
    out = reproduction.options.out
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("experiment", "rows", "runs", "done", "failed", "images", "hours"):
        table.add_column(head, justify="left" if head == "experiment" else "right")
    costs: dict[str, RuntimeEstimate] = {}
    troubles: list[str] = []
    with console.status("planning: data, networks and their speed here"):
        for each in reproduction.plans:
            _add_plan_row(table, each, reproduction, costs, troubles, retry_failed=retry_failed)
    left = [
        job
        for job in reproduction.jobs()
        if not job.is_finished(out) and (retry_failed or not read_failure(out, job.key))
    ]
    hours = sum(costs[job.key].seconds for job in left if job.key in costs) / SECONDS_PER_HOUR
    console.print(table)
    for name, reason in reproduction.skipped.items():
        console.print(f"[yellow]without {name}:[/] {escape(reason)}", highlight=False, soft_wrap=True)
    for trouble in dict.fromkeys(troubles):
        console.print(f"[red]cannot be run:[/] {escape(trouble)}", highlight=False, soft_wrap=True)
    console.print(
        f"{pluralize(len(left), 'run')} left, about {format_hours(hours)} by one process on this machine. Early "
        "stopping makes it less, reading images and measuring maps more. Equal rows, of one table or of "
        "several, are one run.",
        highlight=False,
    )
    return PlanSummary(len(left), hours, tuple(troubles))


def _add_plan_row(
    table: Table,
    plan: TablePlan,
    reproduction: Reproduction,
    estimates: dict[str, RuntimeEstimate],
    problems: list[str],
    *,
    retry_failed: bool,
) -> None:
    """Add one experiment's line; what its runs cost goes into ``estimates``."""
    out, jobs = reproduction.options.out, plan.jobs()
    images = 0
    for row in plan.requested_rows:
        for variant in plan.spec.recipes_of(plan.spec.row(row)):
            twins = [found.job for found in plan.runs if (found.row, found.variant) == (row, variant)]
            try:
                found = estimates.get(twins[0].key) or estimate_runtime(twins[0], out, similar_runs=twins)
            except LesionLensError as error:
                problems.append(f"{plan.name}, {row}: {error}")
                continue
            images = max(images, found.num_images)
            problems += _undefined_columns(plan, variant, found.classes)
            estimates.update(dict.fromkeys([twin.key for twin in twins], found))
    done, failed = _count_jobs(jobs, reproduction)
    left = [
        job for job in jobs if not job.is_finished(out) and (retry_failed or not read_failure(out, job.key))
    ]
    hours = sum(estimates[job.key].seconds for job in left if job.key in estimates) / SECONDS_PER_HOUR
    cells = (plan.name, len(plan.requested_rows), len(jobs), done, failed, f"{images:,}", format_hours(hours))
    table.add_row(*map(str, cells))


def _undefined_columns(plan: TablePlan, variant: str, classes: Sequence[str]) -> list[str]:
    """Say which columns of a variant ask for a class that its task has not."""
    allowed = [*COLUMN_AVERAGES, *classes]
    return [
        f"{plan.name}, column {metric.name}: {unknown_name_message('class', metric.class_name, allowed)}"
        for metric in plan.spec.columns
        if metric.metric and not metric.map and metric.variant == variant and metric.class_name not in allowed
    ]


def _count_jobs(jobs: Sequence[Job], reproduction: Reproduction) -> tuple[int, int]:
    out = reproduction.options.out
    return sum(job.is_finished(out) for job in jobs), sum(bool(read_failure(out, job.key)) for job in jobs)


def format_hours(hours: float) -> str:
    """Write hours for people.

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
