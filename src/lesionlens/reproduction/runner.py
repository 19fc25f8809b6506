"""Execution of runs and mask steps: finished ones are skipped, interrupted ones resumed, and failures recorded."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from rich.console import Console

from lesionlens.core.console import entered, print_line
from lesionlens.core.errors import RunError, RunInterrupted
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.mask_steps import MaskStep, SegmenterStep
from lesionlens.reproduction.run_state import (
    acquire_run,
    clear_owner,
    lock_owner,
    read_failure,
    write_failure,
)
from lesionlens.runs.absolute_paths import with_absolute_paths
from lesionlens.runs.run_dir import write_recipe
from lesionlens.training.run import resume, train

JobOutcome: TypeAlias = Literal["exists", "done", "failed"]
Step: TypeAlias = SegmenterStep | MaskStep | Job


class RunSummary(NamedTuple):
    """Keys of the runs that this call finished, and of those that failed, now or before."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def run_jobs(jobs: Sequence[Step], out: Path, *, console: Console) -> RunSummary:
    """Execute runs one by one, each under its lock, so that any number of processes can work on the same list.

    Runs of other processes, and runs that need their masks, are skipped at first. At the end this process waits for
    them, and executes those whose process died. Failed runs are not repeated until their record is deleted (see
    `clear_failure`); runs that need their masks fail too.

    Parameters
    ----------
    jobs
        Distinct runs and steps; a step comes before the runs that require it.
    out
        Folder of the reproduction.

    Raises
    ------
    RunInterrupted
        Ctrl-C was pressed. The same command resumes the run from its last complete epoch.
    """
    outcomes: dict[str, JobOutcome] = {}
    skipped: list[Step] = []
    for number, job in enumerate(jobs, 1):
        if job.is_finished(out):
            clear_owner(out, job.key)
            continue
        if job.requires and not job.requires.is_finished(out):
            skipped.append(job)
            continue
        with acquire_run(out, job.key) as acquired:
            if acquired:
                outcomes[job.key] = _run_one(job, out, console, f"{number} of {len(jobs)}")
            else:
                skipped.append(job)
                print_line(console, f"{job.key} is being run by {_lock_owner_name(out, job)}", style="dim")
    for number, job in enumerate(skipped, 1):
        waiting = f"{job.key}: waiting for {_lock_owner_name(out, job)}"
        print_line(console, waiting, style="dim")
        with entered(acquire_run(out, job.key, wait=True), console, waiting):
            outcomes[job.key] = _run_one(job, out, console, f"{number} of {len(skipped)} skipped at first")
    return RunSummary(
        tuple(key for key, outcome in outcomes.items() if outcome == "done"),
        tuple(key for key, outcome in outcomes.items() if outcome == "failed"),
    )


def _run_one(job: Step, out: Path, console: Console, position: str) -> JobOutcome:
    """Execute a locked run, unless another process has finished it or recorded its failure in the meantime."""
    if job.is_finished(out):
        return "exists"
    if read_failure(out, job.key):
        return "failed"
    print_line(console, position, label=f"\n{job.key},", label_style="bold")
    return "done" if _run_and_record(job, out, console) else "failed"


def _lock_owner_name(out: Path, job: Step) -> str:
    return lock_owner(out, job.key) or "another process"


def _run_and_record(job: Step, out: Path, console: Console) -> bool:
    """Execute one run and record a failure; return whether it succeeded."""
    try:
        _check_required(job, out)
        if isinstance(job, Job):
            _train_or_resume(job, out, console)
        else:
            job.execute(out, console)
    except (RunInterrupted, KeyboardInterrupt) as stop:
        raise RunInterrupted(
            f"stopped in {job.key}, which is saved up to its last complete epoch or mask. Run the same command again "
            "to resume"
        ) from stop
    except Exception as error:  # any error: the other runs are still executed
        message = write_failure(out, job.key, error)
        print_line(console, message, label=f"{job.key} failed:", label_style="red")
        return False
    return True


def _check_required(job: Step, out: Path) -> None:
    """Raise an error if a step that the run needs is not finished."""
    if job.requires and not job.requires.is_finished(out):
        reason = read_failure(out, job.requires.key) or "it is not finished"
        raise RunError(f"it needs {job.requires.key}: {reason}")


def _train_or_resume(job: Job, out: Path, console: Console) -> None:
    """Start a run, or resume one that was started."""
    folder = job.run_dir(out)
    if folder.exists():
        write_recipe(folder, with_absolute_paths(job.recipe))  # its data and device may be elsewhere now
        resume(folder.path, console=console)
        return
    if folder.path.exists():  # killed before there was anything to resume
        shutil.rmtree(folder.path)
    train(job.recipe, out=folder.path, console=console)
