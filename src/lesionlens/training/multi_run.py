"""Several runs of one recipe (repeats, folds) in one directory: train, resume and summarize them."""

import shutil
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.console import Console

from lesionlens.core.console import activity, print_line
from lesionlens.core.errors import LesionLensError, RunError, RunInterrupted
from lesionlens.core.fileio import write_text
from lesionlens.runs.absolute_paths import check_data_paths
from lesionlens.runs.group_evaluation import read_group_evaluation
from lesionlens.runs.multi_run_dir import (
    STATUS_FAILED,
    STATUS_FINISHED,
    STATUS_INTERRUPTED,
    STATUS_MISSING,
    MultiRunDir,
    RunSpec,
    expand_runs,
)
from lesionlens.runs.run_dir import (
    RESUME_COMMAND,
    RunDir,
    create_run_dir,
    read_recipe,
    resume_hint,
    write_recipe,
)
from lesionlens.runs.run_group import open_group
from lesionlens.runs.run_statistics import build_summary_table, read_summary
from lesionlens.runs.schema import Recipe
from lesionlens.training.group_report import write_group_evaluation
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import set_up_run


class StartFn(Protocol):
    """Function that trains one run in a new directory."""

    def __call__(self, recipe: Recipe, *, out: Path, console: Console, command: str | None) -> Path:
        """Train a run; the command is recorded in its metadata."""


class ResumeFn(Protocol):
    """Function that resumes one run."""

    def __call__(self, path: Path, *, console: Console) -> Path:
        """Resume a run."""


class RunFns(NamedTuple):
    """Functions that train and resume a single run."""

    start: StartFn
    resume: ResumeFn


def run_all(
    recipe: Recipe, name: str, *, out: Path | None, runs_dir: Path, console: Console, run_fns: RunFns
) -> Path:
    """Train all runs of a recipe, each in a subdirectory of a new directory, and return that directory.

    Parameters
    ----------
    recipe
        Recipe with several runs.
    name
        Name of the recipe, which names the directory.
    out
        Directory to create; None: the next free name in ``runs_dir``.
    runs_dir
        Directory of runs without ``out``.
    console
        Console for progress.
    run_fns
        Functions that train and resume a single run.

    Raises
    ------
    LesionLensError
        The recipe, the data or the directory cannot be used; raised before training. If a run fails later, the failure
        is recorded, the other runs are trained, and a ``RunError`` is raised at the end.
    """
    with activity(console, "reading the dataset"):
        fingerprint = _data_fingerprint(recipe)

    def write_metadata(run_dir: RunDir) -> None:
        folder = MultiRunDir(run_dir.path)
        write_recipe(folder, recipe)
        folder.start(num_repeats=recipe.num_repeats, n_folds=recipe.n_folds, fingerprint=fingerprint)

    run_dir = create_run_dir(name, out=out, runs_dir=runs_dir, write=write_metadata)
    return _run_pending(MultiRunDir(run_dir.path), recipe, console, run_fns)


def resume_multi_run(path: Path, *, console: Console, run_fns: RunFns) -> Path:
    """Resume interrupted and failed runs of a multi-run directory, train missing ones, and evaluate all together.

    Raises
    ------
    RunError
        All runs are finished, the dataset was moved or has changed, or a run failed.
    """
    multi_run_dir = MultiRunDir(path)
    recipe = read_recipe(multi_run_dir)
    run_specs = expand_runs(recipe)
    are_finished = all(multi_run_dir.status(spec.name) == STATUS_FINISHED for spec in run_specs)
    if are_finished and multi_run_dir.metadata().get("status") == STATUS_FINISHED:
        raise RunError(f"all {len(run_specs)} runs of {path} are finished; there is nothing to resume")
    check_data_paths(recipe, path)
    with activity(console, "reading the dataset"):
        fingerprint = _data_fingerprint(recipe)
    if fingerprint != multi_run_dir.metadata().get("fingerprint"):
        raise RunError(
            f"the dataset of {path} has changed since the runs started (images, labels or sizes differ); "
            "restore it, or start new runs"
        )
    return _run_pending(multi_run_dir, recipe, console, run_fns)


def _data_fingerprint(recipe: Recipe) -> str:
    return set_up_run(resolve(expand_runs(recipe)[0].recipe)).table.fingerprint()


def _run_pending(multi_run_dir: MultiRunDir, recipe: Recipe, console: Console, run_fns: RunFns) -> Path:
    """Train or resume all unfinished runs, and summarize the finished ones."""
    run_specs = expand_runs(recipe)
    _print_plan(multi_run_dir, run_specs, console)
    failures: dict[str, str] = {}
    for number, spec in enumerate(run_specs, 1):
        _update_status(multi_run_dir, run_specs, failures, status="running")
        if multi_run_dir.status(spec.name) == STATUS_FINISHED:
            continue
        print_line(console, f"{number} of {len(run_specs)}", label=f"\n{spec.name},", label_style="bold")
        try:
            _start_or_resume(multi_run_dir, spec, console, run_fns)
        except RunInterrupted as error:
            _update_status(multi_run_dir, run_specs, failures, status=STATUS_INTERRUPTED)
            raise RunInterrupted(
                f"interrupted in {spec.name}; all complete epochs are saved. "
                f"{resume_hint(RESUME_COMMAND, multi_run_dir.path)}"
            ) from error
        except Exception as error:  # any failure of one run must not prevent the others
            failures[spec.name] = str(error) if isinstance(error, LesionLensError) else f"{error!r}"
            write_text(multi_run_dir.traceback_path(spec.name), traceback.format_exc())
            print_line(console, failures[spec.name], label=f"{spec.name} failed:", label_style="red")
    _evaluate_finished_runs(multi_run_dir, console)
    _update_status(multi_run_dir, run_specs, failures, status=STATUS_FAILED if failures else STATUS_FINISHED)
    if failures:
        if multi_run_dir.summary_csv.is_file():
            console.print(build_summary_table(read_summary(multi_run_dir.summary_csv)))
        raise RunError(_failure_message(multi_run_dir, failures, len(run_specs)))
    return multi_run_dir.path


def _start_or_resume(
    multi_run_dir: MultiRunDir, run_spec: RunSpec, console: Console, run_fns: RunFns
) -> None:
    """Train or resume one run; a new one has the command of all runs, not the one that resumes them."""
    path = multi_run_dir.run_dir(run_spec.name).path
    if multi_run_dir.status(run_spec.name) != STATUS_MISSING:
        run_fns.resume(path, console=console)
        return
    if path.exists():  # killed before there was anything to resume
        shutil.rmtree(path)
    command = multi_run_dir.metadata().get("command")
    run_fns.start(run_spec.recipe, out=path, console=console, command=command)


def _evaluate_finished_runs(multi_run_dir: MultiRunDir, console: Console) -> None:
    """Write statistics and report of the finished runs, if any: on the test split if all of them have one."""
    group = open_group(multi_run_dir)
    if not group.finished:
        return
    is_tested = all(group.run_dir(name).evaluation("test").is_file() for name in group.finished)
    group = replace(group, split="test" if is_tested else "validation")
    with activity(console, "evaluating all runs together"):
        write_group_evaluation(multi_run_dir.path, read_group_evaluation(group))
    multi_run_dir.update(split=group.split)


def _update_status(
    multi_run_dir: MultiRunDir, run_specs: Sequence[RunSpec], failures: dict[str, str], *, status: str
) -> None:
    """Save the status of all runs together and of each run."""
    runs_status = {
        spec.name: {"status": STATUS_FAILED, "message": failures[spec.name]}
        if spec.name in failures
        else {"status": multi_run_dir.status(spec.name)}
        for spec in run_specs
    }
    multi_run_dir.update(status=status, runs_status=runs_status)


def _print_plan(multi_run_dir: MultiRunDir, run_specs: Sequence[RunSpec], console: Console) -> None:
    print_line(console, f"{len(run_specs)} runs in {multi_run_dir.path}:")
    for name, recipe in run_specs:
        fold = "" if recipe.fold is None else f", fold {recipe.fold} of {recipe.n_folds}"
        status = multi_run_dir.status(name)
        suffix = "" if status == STATUS_MISSING else f": {status}"
        print_line(console, f"  {name}: seed {recipe.train.seed}{fold}{suffix}")


def _failure_message(multi_run_dir: MultiRunDir, failures: dict[str, str], num_runs: int) -> str:
    lines = [f"{len(failures)} of {num_runs} runs failed:"]
    lines += [f"  {name}: {message}" for name, message in failures.items()]
    return "\n".join([*lines, resume_hint(RESUME_COMMAND, multi_run_dir.path)])
