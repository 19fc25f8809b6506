"""The plan as a person sees it before anything is computed: runs, images, hours."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lesionlens.data.problems import counted
from lesionlens.errors import LesionLensError, unknown
from lesionlens.experiments.job import Job
from lesionlens.experiments.pace import Cost, cost
from lesionlens.experiments.plan import Plan
from lesionlens.experiments.reproduce import Reproduction
from lesionlens.experiments.work import failure

HOUR = 3600.0
AVERAGES = ("macro", "weighted", "all")  # of a metric, in place of one class


class Expected(NamedTuple):
    """Runs that are left, their hours on this machine, and why some cannot be run."""

    left: int
    hours: float
    troubles: tuple[str, ...]


def show(reproduction: Reproduction, console: Console, *, retry: bool) -> Expected:
    """Print the plan, and give what is expected of it."""
    out = reproduction.ask.out
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("experiment", "rows", "runs", "done", "failed", "images", "hours"):
        table.add_column(head, justify="left" if head == "experiment" else "right")
    costs: dict[str, Cost] = {}
    troubles: list[str] = []
    with console.status("planning: data, networks and their speed here"):
        for each in reproduction.plans:
            _add(table, each, reproduction, costs, troubles, retry=retry)
    left = [
        job for job in reproduction.jobs() if not job.finished(out) and (retry or not failure(out, job.key))
    ]
    hours = sum(costs[job.key].seconds for job in left if job.key in costs) / HOUR
    console.print(table)
    for name, reason in reproduction.without.items():
        console.print(f"[yellow]without {name}:[/] {escape(reason)}", highlight=False, soft_wrap=True)
    for trouble in dict.fromkeys(troubles):
        console.print(f"[red]cannot be run:[/] {escape(trouble)}", highlight=False, soft_wrap=True)
    console.print(
        f"{counted(len(left), 'run')} left, about {shown(hours)} by one process on this machine. Early stopping makes "
        "it less, reading images and measuring maps more. Equal rows, of one table or of several, are one run.",
        highlight=False,
    )
    return Expected(len(left), hours, tuple(troubles))


def _add(
    table: Table,
    each: Plan,
    reproduction: Reproduction,
    costs: dict[str, Cost],
    troubles: list[str],
    *,
    retry: bool,
) -> None:
    """Add one experiment's line; what its runs cost goes into ``costs``."""
    out, jobs = reproduction.ask.out, each.jobs()
    images = 0
    for row in each.asked:
        for part in each.experiment.row(row).parts:
            twins = [found.job for found in each.runs if (found.row, found.part) == (row, part)]
            try:
                found = costs.get(twins[0].key) or cost(twins[0], out, twins=twins)
            except LesionLensError as error:
                troubles.append(f"{each.name}, {row}: {error}")
                continue
            images = max(images, found.images)
            troubles += _without_number(each, part, found.classes)
            costs.update(dict.fromkeys([twin.key for twin in twins], found))
    done, failed = _count(jobs, reproduction)
    left = [job for job in jobs if not job.finished(out) and (retry or not failure(out, job.key))]
    hours = sum(costs[job.key].seconds for job in left if job.key in costs) / HOUR
    cells = (each.name, len(each.asked), len(jobs), done, failed, f"{images:,}", shown(hours))
    table.add_row(*map(str, cells))


def _without_number(each: Plan, part: str, classes: Sequence[str]) -> list[str]:
    """Say which columns of a part ask for a class that its task has not."""
    allowed = [*AVERAGES, *classes]
    return [
        f"{each.name}, column {metric.name}: {unknown('class', metric.of, allowed)}"
        for metric in each.experiment.metrics
        if metric.metric and not metric.map and metric.part == part and metric.of not in allowed
    ]


def _count(jobs: Sequence[Job], reproduction: Reproduction) -> tuple[int, int]:
    out = reproduction.ask.out
    return sum(job.finished(out) for job in jobs), sum(bool(failure(out, job.key)) for job in jobs)


def shown(hours: float) -> str:
    """Write hours for people.

    Examples
    --------
    >>> shown(0), shown(0.004), shown(0.4), shown(3.26), shown(1234)
    ('0', '< 1 min', '24 min', '3.3 h', '1,234 h')
    """
    if hours == 0:
        return "0"
    if hours < 1 / 60:
        return "< 1 min"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
