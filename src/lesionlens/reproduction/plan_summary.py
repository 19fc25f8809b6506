"""Summary of a plan before anything is computed: runs, images, hours."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lesionlens.core.console import print_line, progress_bar
from lesionlens.core.errors import LesionLensError, unknown_name_message
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.metric import Aggregate
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.mask_steps import MaskStep, SegmenterStep
from lesionlens.reproduction.planner import TablePlan
from lesionlens.reproduction.reproduce import Reproduction
from lesionlens.reproduction.run_state import read_failure
from lesionlens.reproduction.runner import Step
from lesionlens.reproduction.runtime_estimate import RuntimeEstimate, estimate_mask_step, estimate_runtime

SECONDS_PER_HOUR = 3600.0
DAYS_PER_YEAR = 365.25
HOURS_SHOWN = 100  # longer times are shown in days
ABSURD_HOURS = 30 * 24
PLAN_TIMING_SECONDS = 2.0  # from the start of the plan; networks that come later are not timed


class PlanSummary(NamedTuple):
    """Number of runs left, their hours on this machine, and the reasons why some cannot be run."""

    runs_left: int
    hours: float
    problems: tuple[str, ...]


def print_plan(reproduction: Reproduction, console: Console, *, retry_failed: bool) -> PlanSummary:
    """Print the plan and return its summary."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("table", "rows", "runs", "done", "failed", "images", "time"):
        table.add_column(head, justify="left" if head == "table" else "right")
    estimates: dict[str, RuntimeEstimate] = {}
    problems: list[str] = []
    deadline = time.monotonic() + PLAN_TIMING_SECONDS
    with progress_bar(console, unit="rows") as progress:
        task_id = progress.add_task(
            "planning: checking data and networks, timing a few steps",
            total=sum(len(plan.requested_rows) for plan in reproduction.plans),
        )
        for plan in reproduction.plans:
            for row in plan.requested_rows:
                _estimate_row(plan, row, reproduction, estimates, problems, deadline)
                progress.advance(task_id)
            _add_plan_row(table, plan, reproduction, estimates, retry_failed=retry_failed)
    for step in reproduction.mask_steps():
        _add_mask_step(table, step, reproduction, estimates, problems, retry_failed=retry_failed)
    left = _steps_left(reproduction.steps(), reproduction, retry_failed=retry_failed)
    hours = _total_hours(left, estimates)
    console.print(table)
    for name, reason in reproduction.skipped.items():
        print_line(console, reason, label=f"skipped {name}:", label_style="yellow")
    for problem in dict.fromkeys(problems):
        print_line(console, problem, label="cannot be run:", label_style="red")
    if untimed := [key for key in estimates if not estimates[key].timed]:
        print_line(
            console, f"The time of {pluralize(len(untimed), 'run')} follows from the number of operations."
        )
    console.print(
        f"{pluralize(len(left), 'run')} left, about {format_hours(hours)} in one process on this machine. Early "
        "stopping shortens this; reading images and measuring maps adds to it. Identical rows, of one table or of "
        "several, are run once.",
        highlight=False,
        markup=False,
    )
    if hours > ABSURD_HOURS and reproduction.options.profile.name == "paper":
        device = "GPU" if torch.cuda.is_available() else "processor"
        print_line(console, f"{format_hours(hours)} on this {device}: try --profile short", style="yellow")
    return PlanSummary(len(left), hours, tuple(problems))


def _estimate_row(
    plan: TablePlan,
    row: str,
    reproduction: Reproduction,
    estimates: dict[str, RuntimeEstimate],
    problems: list[str],
    deadline: float,
) -> None:
    """Add the estimates of a row's runs to ``estimates``, and reasons why they cannot be run to ``problems``."""
    for variant in plan.spec.recipes_of(plan.spec.row(row)):
        similar = [run.job for run in plan.runs if (run.row, run.variant) == (row, variant)]
        try:
            estimate = estimates.get(similar[0].key) or estimate_runtime(
                similar[0],
                reproduction.options.out,
                similar_runs=similar,
                read=reproduction.data.read,
                deadline=deadline,
            )
        except LesionLensError as error:
            problems.append(f"{plan.name}, {row}: {error}")
            continue
        problems += _undefined_columns(plan, variant, estimate.classes)
        estimates.update(dict.fromkeys([job.key for job in similar], estimate))


def _add_plan_row(
    table: Table,
    plan: TablePlan,
    reproduction: Reproduction,
    estimates: Mapping[str, RuntimeEstimate],
    *,
    retry_failed: bool,
) -> None:
    """Add a row for one table."""
    jobs = plan.jobs()
    images = max((estimates[job.key].num_images for job in jobs if job.key in estimates), default=0)
    done, failed = _count_jobs(jobs, reproduction)
    hours = _total_hours(_steps_left(jobs, reproduction, retry_failed=retry_failed), estimates)
    cells = (plan.name, len(plan.requested_rows), len(jobs), done, failed, f"{images:,}", format_hours(hours))
    table.add_row(*map(str, cells))


def _steps_left(steps: Sequence[Step], reproduction: Reproduction, *, retry_failed: bool) -> list[Step]:
    out = reproduction.options.out
    return [
        step
        for step in steps
        if not step.is_finished(out) and (retry_failed or not read_failure(out, step.key))
    ]


def _total_hours(jobs: Sequence[Step], estimates: Mapping[str, RuntimeEstimate]) -> float:
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


def _add_mask_step(
    table: Table,
    step: SegmenterStep | MaskStep,
    reproduction: Reproduction,
    estimates: dict[str, RuntimeEstimate],
    problems: list[str],
    *,
    retry_failed: bool,
) -> None:
    """Add a row for a step that makes masks, and its estimate, or the reason why it cannot be run."""
    left = _steps_left([step], reproduction, retry_failed=retry_failed)
    try:
        estimates |= {step.key: estimate_mask_step(step)} if left else {}
    except LesionLensError as error:
        tables = [plan.name for plan in reproduction.plans if any(_needs(job, step) for job in plan.jobs())]
        problems.append(f"{', '.join(tables)}: {error}")
    done, failed = _count_jobs([step], reproduction)
    images = f"{estimates[step.key].num_images:,}" if step.key in estimates else "0"
    hours = format_hours(_total_hours(left, estimates))
    table.add_row(step.title, "", "1", str(done), str(failed), images, hours)


def _needs(job: Job, step: SegmenterStep | MaskStep) -> bool:
    return job.requires is not None and step in (job.requires, job.requires.requires)


def _count_jobs(jobs: Sequence[Step], reproduction: Reproduction) -> tuple[int, int]:
    out = reproduction.options.out
    return sum(job.is_finished(out) for job in jobs), sum(bool(read_failure(out, job.key)) for job in jobs)


def format_hours(hours: float) -> str:
    """Format a number of hours.

    Examples
    --------
    >>> [format_hours(hours) for hours in (0, 0.004, 0.4, 3.26, 99, 1234, 175_000)]
    ['0', '< 1 min', '24 min', '3.3 h', '99 h', '51 days', '20 years']
    """
    if hours == 0:
        return "0"
    if hours < 1 / 60:
        return "< 1 min"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    if hours < HOURS_SHOWN:
        return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
    days = hours / 24
    return f"{days:,.0f} days" if days < 2 * DAYS_PER_YEAR else f"{days / DAYS_PER_YEAR:,.0f} years"
