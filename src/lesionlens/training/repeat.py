"""Several runs of one recipe as one: planned, gone through one by one, resumed as a whole, summed up."""

import shutil
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.markup import escape

from lesionlens.atomic import write_text
from lesionlens.errors import InterruptedRunError, LesionLensError, RunError
from lesionlens.evaluation.evaluation import read_evaluation
from lesionlens.training.folder import new_folder, versions, write_recipe
from lesionlens.training.group import FAILED, FINISHED, INTERRUPTED, MISSING, Child, GroupFolder, children
from lesionlens.training.over_runs import page, read_summary, summary, summary_table, write_summary
from lesionlens.training.prepare import prepare
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.recipe import Recipe


class Start(Protocol):
    """How one run is started in a folder that is not there yet."""

    def __call__(self, recipe: Recipe, *, out: Path, console: Console) -> Path:
        """Train one run."""


class Resume(Protocol):
    """How one run goes on."""

    def __call__(self, path: Path, *, console: Console) -> Path:
        """Go on with one run."""


class OneRun(NamedTuple):
    """How one run of a group is computed."""

    start: Start
    resume: Resume


def repeat(recipe: Recipe, name: str, *, out: Path | None, runs: Path, console: Console, one: OneRun) -> Path:
    """Start a group: each run that the recipe means in a folder of its own inside one new folder.

    Raises
    ------
    LesionLensError
        Recipe, data or folder cannot be used: said before anything is computed. A run that fails later is recorded,
        the others go on, and a ``RunError`` says so at the end.
    """
    fingerprint = prepare(children(recipe)[0].recipe).table.fingerprint()
    folder = new_folder(name, out=out, runs=runs)
    write_recipe(folder, recipe)
    group = GroupFolder(folder.path)
    group.note(
        name=group.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        runs=recipe.runs,
        folds=recipe.folds,
        fingerprint=fingerprint,
        versions=versions(),
    )
    return _go_through(group, recipe, console, one)


def go_on(path: Path, *, console: Console, one: OneRun) -> Path:
    """Go on with a group: finished runs are left alone, interrupted and failed ones resumed, missing ones started.

    Raises
    ------
    RunError
        All runs are finished, or the data are not what they were; or a run failed.
    """
    group = GroupFolder(path)
    recipe = read_recipe(str(group.recipe))
    planned = children(recipe)
    if all(group.status(child.name) == FINISHED for child in planned):
        raise RunError(f"all {len(planned)} runs of {path} are finished; there is nothing to resume")
    if prepare(planned[0].recipe).table.fingerprint() != group.record()["fingerprint"]:
        raise RunError(
            f"the data of {path} are not what they were when it started (images, labels or sizes differ); "
            "bring them back, or start anew"
        )
    return _go_through(group, recipe, console, one)


def _go_through(group: GroupFolder, recipe: Recipe, console: Console, one: OneRun) -> Path:
    planned = children(recipe)
    _say_plan(group, planned, console)
    failures: dict[str, str] = {}
    for number, child in enumerate(planned, 1):
        _note(group, planned, failures, status="running")
        if group.status(child.name) == FINISHED:
            continue
        console.print(f"\n[bold]{child.name}[/], {number} of {len(planned)}", highlight=False)
        try:
            _compute(group, child, console, one)
        except InterruptedRunError as stop:
            _note(group, planned, failures, status=INTERRUPTED)
            raise InterruptedRunError(
                f"stopped in {child.name}; nothing is lost up to its last whole epoch. "
                f"Go on with: lesionlens train --resume {group.path}"
            ) from stop
        except Exception as error:  # whatever it is, the other runs are worth having
            failures[child.name] = str(error) if isinstance(error, LesionLensError) else f"{error!r}"
            write_text(group.trace(child.name), traceback.format_exc())
            console.print(f"[red]{child.name} failed:[/] {escape(failures[child.name])}", highlight=False)
    _sum_up(group, planned)
    _note(group, planned, failures, status=FAILED if failures else FINISHED)
    if failures:
        if group.table.is_file():
            console.print(summary_table(read_summary(group.table)))
        raise RunError(_told(group, failures, len(planned)))
    return group.path


def _compute(group: GroupFolder, child: Child, console: Console, one: OneRun) -> None:
    """Start or resume one run."""
    folder = group.child(child.name)
    if group.status(child.name) != MISSING:
        one.resume(folder.path, console=console)
        return
    if folder.path.exists():  # killed before there was anything to go on from
        shutil.rmtree(folder.path)
    one.start(child.recipe, out=folder.path, console=console)


def _sum_up(group: GroupFolder, planned: Sequence[Child]) -> None:
    """Write the summary of the finished runs, if there are any."""
    done = [child.name for child in planned if group.status(child.name) == FINISHED]
    if not done:
        return
    tested = all(group.child(name).evaluation("test").is_file() for name in done)
    part = "test" if tested else "validation"
    table = summary({name: read_evaluation(group.child(name).evaluation(part)) for name in done})
    write_summary(group.table, table)
    write_text(group.page, page(table, title=group.path.name, part=part, runs=len(planned)))
    group.note(part=part)


def _note(group: GroupFolder, planned: Sequence[Child], failures: dict[str, str], *, status: str) -> None:
    """Record how far the group and each run came."""
    states = {
        child.name: {"status": FAILED, "message": failures[child.name]}
        if child.name in failures
        else {"status": group.status(child.name)}
        for child in planned
    }
    group.note(status=status, children=states)


def _say_plan(group: GroupFolder, planned: Sequence[Child], console: Console) -> None:
    states = {child.name: group.status(child.name) for child in planned}
    console.print(f"{len(planned)} runs in {group.path}:", highlight=False, soft_wrap=True)
    for child in planned:
        fold = "" if child.recipe.fold is None else f", fold {child.recipe.fold} of {child.recipe.folds}"
        known = "" if states[child.name] == MISSING else f": {states[child.name]}"
        console.print(f"  {child.name}: seed {child.recipe.train.seed}{fold}{known}", highlight=False)


def _told(group: GroupFolder, failures: dict[str, str], count: int) -> str:
    lines = [f"{len(failures)} of {count} runs failed:"]
    lines += [f"  {name}: {message}" for name, message in failures.items()]
    return "\n".join([*lines, f"Try them again with: lesionlens train --resume {group.path}"])
