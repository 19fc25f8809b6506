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

from lesionlens.core.errors import LesionLensError, RunError, RunInterrupted
from lesionlens.core.fileio import write_text
from lesionlens.evaluation.result import read_evaluation
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir, RunMetadata, create_run_dir, package_versions, write_recipe
from lesionlens.runs.run_statistics import (
    build_summary_table,
    markdown_page,
    read_summary,
    summarize_runs,
    write_summary,
)
from lesionlens.runs.schema import Recipe
from lesionlens.training.setup import set_up_run

STATUS_FINISHED, STATUS_FAILED, STATUS_INTERRUPTED, STATUS_MISSING = (
    "finished",
    "failed",
    "interrupted",
    "missing",
)


class RunSpec(NamedTuple):
    """One run of a group: the name of its folder, and its own recipe."""

    name: str
    recipe: Recipe


def expand_runs(recipe: Recipe) -> list[RunSpec]:
    """Give each run that a recipe means, in order; one that is run once is its own only run.

    Run r has the seed ``train.seed + r``. A recipe with ``n_folds`` and no ``fold`` is run on each fold in turn, all
    folds of a run with the same seed.
    """
    width = max(2, len(str(recipe.num_repeats)))
    folds = (
        [recipe.fold] if recipe.n_folds is None or recipe.fold is not None else list(range(recipe.n_folds))
    )
    found = []
    for run in range(recipe.num_repeats):
        train = recipe.train.model_copy(update={"seed": recipe.train.seed + run})
        for fold in folds:
            names = [f"run-{run + 1:0{width}d}"] * (recipe.num_repeats > 1) + [f"fold-{fold}"] * (
                len(folds) > 1
            )
            own = recipe.model_copy(update={"num_repeats": 1, "fold": fold, "train": train})
            found.append(RunSpec("-".join(names), own))
    return found


class MultiRunDir(RunMetadata):
    """The places in a group's folder."""

    METADATA_FILE = "multi_run.json"

    @property
    def summary_csv(self) -> Path:
        """Each metric over the runs."""
        return self.path / "summary.csv"

    @property
    def summary_md(self) -> Path:
        """The same to be read."""
        return self.path / "summary.md"

    def run_dir(self, name: str) -> RunDir:
        """Give the folder of one run."""
        return RunDir(self.path / name)

    def traceback_path(self, name: str) -> Path:
        """Where it is written how a run came to fail."""
        return self.path / "errors" / f"{name}.txt"

    def status(self, name: str) -> str:
        """Say how far a run came: what its folder holds, not what was hoped for."""
        child = self.run_dir(name)
        if not child.exists():
            return STATUS_MISSING
        return STATUS_FINISHED if child.metadata()["status"] == STATUS_FINISHED else STATUS_INTERRUPTED


class StartFn(Protocol):
    """How one run is started in a folder that is not there yet."""

    def __call__(self, recipe: Recipe, *, out: Path, console: Console) -> Path:
        """Train one run."""


class ResumeFn(Protocol):
    """How one run goes on."""

    def __call__(self, path: Path, *, console: Console) -> Path:
        """Go on with one run."""


class RunFns(NamedTuple):
    """How one run of a group is computed."""

    start: StartFn
    resume: ResumeFn


def run_all(
    recipe: Recipe, name: str, *, out: Path | None, runs_dir: Path, console: Console, run_fns: RunFns
) -> Path:
    """Start a group: each run that the recipe means in a folder of its own inside one new folder.

    Raises
    ------
    LesionLensError
        Recipe, data or folder cannot be used: said before anything is computed. A run that fails later is recorded,
        the others go on, and a ``RunError`` says so at the end.
    """
    fingerprint = set_up_run(expand_runs(recipe)[0].recipe).table.fingerprint()
    folder = create_run_dir(name, out=out, runs_dir=runs_dir)
    write_recipe(folder, recipe)
    group = MultiRunDir(folder.path)
    group.update(
        name=group.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        num_repeats=recipe.num_repeats,
        n_folds=recipe.n_folds,
        fingerprint=fingerprint,
        versions=package_versions(),
    )
    return _run_pending(group, recipe, console, run_fns)


def resume_multi_run(path: Path, *, console: Console, run_fns: RunFns) -> Path:
    """Go on with a group: finished runs are left alone, interrupted and failed ones resumed, missing ones started.

    Raises
    ------
    RunError
        All runs are finished, or the data are not what they were; or a run failed.
    """
    group = MultiRunDir(path)
    recipe = load_recipe(str(group.recipe))
    planned = expand_runs(recipe)
    if all(group.status(child.name) == STATUS_FINISHED for child in planned):
        raise RunError(f"all {len(planned)} runs of {path} are finished; there is nothing to resume")
    if set_up_run(planned[0].recipe).table.fingerprint() != group.metadata()["fingerprint"]:
        raise RunError(
            f"the data of {path} are not what they were when it started (images, labels or sizes differ); "
            "bring them back, or start anew"
        )
    return _run_pending(group, recipe, console, run_fns)


def _run_pending(multi_run_dir: MultiRunDir, recipe: Recipe, console: Console, run_fns: RunFns) -> Path:
    planned = expand_runs(recipe)
    _print_plan(multi_run_dir, planned, console)
    failures: dict[str, str] = {}
    for number, child in enumerate(planned, 1):
        _update_status(multi_run_dir, planned, failures, status="running")
        if multi_run_dir.status(child.name) == STATUS_FINISHED:
            continue
        console.print(f"\n[bold]{child.name}[/], {number} of {len(planned)}", highlight=False)
        try:
            _start_or_resume(multi_run_dir, child, console, run_fns)
        except RunInterrupted as stop:
            _update_status(multi_run_dir, planned, failures, status=STATUS_INTERRUPTED)
            raise RunInterrupted(
                f"stopped in {child.name}; nothing is lost up to its last whole epoch. "
                f"Go on with: lesionlens train --resume {multi_run_dir.path}"
            ) from stop
        except Exception as error:  # whatever it is, the other runs are worth having
            failures[child.name] = str(error) if isinstance(error, LesionLensError) else f"{error!r}"
            write_text(multi_run_dir.traceback_path(child.name), traceback.format_exc())
            console.print(f"[red]{child.name} failed:[/] {escape(failures[child.name])}", highlight=False)
    _write_run_statistics(multi_run_dir, planned)
    _update_status(multi_run_dir, planned, failures, status=STATUS_FAILED if failures else STATUS_FINISHED)
    if failures:
        if multi_run_dir.summary_csv.is_file():
            console.print(build_summary_table(read_summary(multi_run_dir.summary_csv)))
        raise RunError(_failure_message(multi_run_dir, failures, len(planned)))
    return multi_run_dir.path


def _start_or_resume(
    multi_run_dir: MultiRunDir, run_spec: RunSpec, console: Console, run_fns: RunFns
) -> None:
    """Start or resume one run."""
    folder = multi_run_dir.run_dir(run_spec.name)
    if multi_run_dir.status(run_spec.name) != STATUS_MISSING:
        run_fns.resume(folder.path, console=console)
        return
    if folder.path.exists():  # killed before there was anything to go on from
        shutil.rmtree(folder.path)
    run_fns.start(run_spec.recipe, out=folder.path, console=console)


def _write_run_statistics(multi_run_dir: MultiRunDir, run_specs: Sequence[RunSpec]) -> None:
    """Write the summary of the finished runs, if there are any."""
    done = [child.name for child in run_specs if multi_run_dir.status(child.name) == STATUS_FINISHED]
    if not done:
        return
    tested = all(multi_run_dir.run_dir(name).evaluation("test").is_file() for name in done)
    split = "test" if tested else "validation"
    table = summarize_runs(
        {name: read_evaluation(multi_run_dir.run_dir(name).evaluation(split)) for name in done}
    )
    write_summary(multi_run_dir.summary_csv, table)
    write_text(
        multi_run_dir.summary_md,
        markdown_page(table, title=multi_run_dir.path.name, split=split, num_runs=len(run_specs)),
    )
    multi_run_dir.update(split=split)


def _update_status(
    multi_run_dir: MultiRunDir, run_specs: Sequence[RunSpec], failures: dict[str, str], *, status: str
) -> None:
    """Record how far the group and each run came."""
    states = {
        child.name: {"status": STATUS_FAILED, "message": failures[child.name]}
        if child.name in failures
        else {"status": multi_run_dir.status(child.name)}
        for child in run_specs
    }
    multi_run_dir.update(status=status, runs_status=states)


def _print_plan(multi_run_dir: MultiRunDir, run_specs: Sequence[RunSpec], console: Console) -> None:
    states = {child.name: multi_run_dir.status(child.name) for child in run_specs}
    console.print(f"{len(run_specs)} runs in {multi_run_dir.path}:", highlight=False, soft_wrap=True)
    for child in run_specs:
        fold = "" if child.recipe.fold is None else f", fold {child.recipe.fold} of {child.recipe.n_folds}"
        known = "" if states[child.name] == STATUS_MISSING else f": {states[child.name]}"
        console.print(f"  {child.name}: seed {child.recipe.train.seed}{fold}{known}", highlight=False)


def _failure_message(multi_run_dir: MultiRunDir, failures: dict[str, str], num_runs: int) -> str:
    lines = [f"{len(failures)} of {num_runs} runs failed:"]
    lines += [f"  {name}: {message}" for name, message in failures.items()]
    return "\n".join([*lines, f"Try them again with: lesionlens train --resume {multi_run_dir.path}"])
