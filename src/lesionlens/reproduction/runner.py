"""Run after run: what is done is left alone, what was killed goes on, what fails is told and passed over."""

import json
import os
import shutil
import socket
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from rich.console import Console
from rich.markup import escape

from lesionlens.core.errors import LesionLensError, RunInterrupted
from lesionlens.core.fileio import file_lock, write_text
from lesionlens.reproduction.jobs import Job
from lesionlens.runs.run_dir import write_recipe
from lesionlens.training.run import resume, train


@contextmanager
def acquire_run(out: Path, key: str, *, wait: bool = False) -> Iterator[bool]:
    """Lock a run, as ``file_lock`` does, and record which process holds it; yield whether the lock was acquired.

    Parameters
    ----------
    wait
        Wait until another process that holds the run finishes or ends.

    Raises
    ------
    RunError
        The folder cannot be written, or its file system has no locks.
    """
    lock_path = out / "locks" / f"{key}.lock"
    owner_path = lock_path.with_suffix(".txt")
    with file_lock(lock_path, wait=wait) as acquired:
        if not acquired:
            yield False
            return
        try:
            owner_path.write_text(f"{socket.gethostname()} {os.getpid()}\n", encoding="utf-8")
            yield True
        finally:
            owner_path.unlink(missing_ok=True)


def lock_owner(out: Path, key: str) -> str:
    """Say which machine and process has a run; "" where nobody says so."""
    note = out / "locks" / f"{key}.txt"
    return note.read_text(encoding="utf-8").strip() if note.is_file() else ""


JobOutcome: TypeAlias = Literal["exists", "done", "failed"]


class RunSummary(NamedTuple):
    """Keys of the runs that were done now, and of those that failed, now or before."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def run_jobs(jobs: Sequence[Job], out: Path, *, console: Console) -> RunSummary:
    """Go through runs one by one, each claimed first, so that any number of processes may share them.

    What another process has is passed over, and looked at again at the end: it is waited for, and run where that
    process died before it was done. What failed stays failed until that is forgotten (see `clear_failure`).

    Raises
    ------
    RunInterrupted
        Ctrl-C: the run goes on from its last whole epoch when the same command is given again.
    """
    came: dict[str, JobOutcome] = {}
    passed_over: list[Job] = []
    for number, job in enumerate(jobs, 1):
        if job.is_finished(out):
            continue
        with acquire_run(out, job.key) as mine:
            if mine:
                came[job.key] = _run_one(job, out, console, f"{number} of {len(jobs)}")
            else:
                passed_over.append(job)
                console.print(f"{job.key} is being run by {_lock_owner_name(out, job)}", style="dim")
    for number, job in enumerate(passed_over, 1):
        console.print(f"{job.key}: waiting for {_lock_owner_name(out, job)}", style="dim")
        with acquire_run(out, job.key, wait=True):
            came[job.key] = _run_one(job, out, console, f"{number} of {len(passed_over)} passed over")
    return RunSummary(
        tuple(key for key, how in came.items() if how == "done"),
        tuple(key for key, how in came.items() if how == "failed"),
    )


def read_failure(out: Path, key: str) -> str:
    """Say why a run or a page failed; "" where it did not."""
    note = _failure_path(out, key)
    return str(json.loads(note.read_text(encoding="utf-8"))["message"]) if note.is_file() else ""


def write_failure(out: Path, key: str, error: Exception) -> str:
    """Write down why a run or a page failed, with the traceback, and give the message alone."""
    message = str(error) if isinstance(error, LesionLensError) else f"{type(error).__name__}: {error}"
    told = {
        "message": message,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "trace": "".join(traceback.format_exception(error)),
    }
    write_text(_failure_path(out, key), json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return message


def clear_failure(out: Path, key: str) -> None:
    """Take back what `write_failure` wrote."""
    _failure_path(out, key).unlink(missing_ok=True)


def _run_one(job: Job, out: Path, console: Console, position: str) -> JobOutcome:
    """Compute a claimed run, unless it is done or failed, which may have come while another had it."""
    if job.is_finished(out):
        return "exists"
    if read_failure(out, job.key):
        return "failed"
    console.print(f"\n[bold]{job.key}[/], {position}", highlight=False)
    return "done" if _run_and_record(job, out, console) else "failed"


def _lock_owner_name(out: Path, job: Job) -> str:
    return lock_owner(out, job.key) or "another process"


def _run_and_record(job: Job, out: Path, console: Console) -> bool:
    """Compute one run; a failure is written down with its traceback."""
    try:
        _train_or_resume(job, out, console)
    except (RunInterrupted, KeyboardInterrupt) as stop:
        raise RunInterrupted(
            f"stopped in {job.key}; nothing is lost up to its last whole epoch. Give the same command again to go on"
        ) from stop
    except Exception as error:  # whatever it is, the other runs are worth having
        message = write_failure(out, job.key, error)
        console.print(f"[red]{job.key} failed:[/] {escape(message)}", highlight=False, soft_wrap=True)
        return False
    return True


def _train_or_resume(job: Job, out: Path, console: Console) -> None:
    """Start a run, or go on with one that was begun."""
    folder = job.run_dir(out)
    if folder.exists():
        write_recipe(folder, job.recipe)  # the same run; its data and device may be elsewhere now
        resume(folder.path, console=console)
        return
    if folder.path.exists():  # killed before there was anything to go on from
        shutil.rmtree(folder.path)
    train(job.recipe, out=folder.path, console=console)


def _failure_path(out: Path, key: str) -> Path:
    return out / "failures" / f"{key}.json"
