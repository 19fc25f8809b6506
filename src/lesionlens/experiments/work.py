"""Run after run: what is done is left alone, what was killed goes on, what fails is told and passed over."""

import json
import shutil
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from rich.console import Console
from rich.markup import escape

from lesionlens.atomic import write_text
from lesionlens.errors import InterruptedRunError, LesionLensError
from lesionlens.experiments.claim import claimed, holder
from lesionlens.experiments.job import Job
from lesionlens.training.folder import write_recipe
from lesionlens.training.run import resume, train

Outcome: TypeAlias = Literal["there", "done", "failed"]


class Worked(NamedTuple):
    """Keys of the runs that were done now, and of those that failed, now or before."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def work(planned: Sequence[Job], out: Path, *, console: Console) -> Worked:
    """Go through runs one by one, each claimed first, so that any number of processes may share them.

    What another process has is passed over, and looked at again at the end: it is waited for, and run where that
    process died before it was done. What failed stays failed until that is forgotten (see `forget_failure`).

    Raises
    ------
    InterruptedRunError
        Ctrl-C: the run goes on from its last whole epoch when the same command is given again.
    """
    came: dict[str, Outcome] = {}
    passed_over: list[Job] = []
    for number, job in enumerate(planned, 1):
        if job.finished(out):
            continue
        with claimed(out, job.key) as mine:
            if mine:
                came[job.key] = _turn(job, out, console, f"{number} of {len(planned)}")
            else:
                passed_over.append(job)
                console.print(f"{job.key} is being run by {_whom(out, job)}", style="dim")
    for number, job in enumerate(passed_over, 1):
        console.print(f"{job.key}: waiting for {_whom(out, job)}", style="dim")
        with claimed(out, job.key, wait=True):
            came[job.key] = _turn(job, out, console, f"{number} of {len(passed_over)} passed over")
    return Worked(
        tuple(key for key, how in came.items() if how == "done"),
        tuple(key for key, how in came.items() if how == "failed"),
    )


def failure(out: Path, key: str) -> str:
    """Say why a run or a page failed; "" where it did not."""
    note = _note(out, key)
    return str(json.loads(note.read_text(encoding="utf-8"))["message"]) if note.is_file() else ""


def write_failure(out: Path, key: str, error: Exception) -> str:
    """Write down why a run or a page failed, with the traceback, and give the message alone."""
    message = str(error) if isinstance(error, LesionLensError) else f"{type(error).__name__}: {error}"
    told = {
        "message": message,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "trace": "".join(traceback.format_exception(error)),
    }
    write_text(_note(out, key), json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return message


def forget_failure(out: Path, key: str) -> None:
    """Take back what `write_failure` wrote."""
    _note(out, key).unlink(missing_ok=True)


def _turn(job: Job, out: Path, console: Console, place: str) -> Outcome:
    """Compute a claimed run, unless it is done or failed, which may have come while another had it."""
    if job.finished(out):
        return "there"
    if failure(out, job.key):
        return "failed"
    console.print(f"\n[bold]{job.key}[/], {place}", highlight=False)
    return "done" if _run(job, out, console) else "failed"


def _whom(out: Path, job: Job) -> str:
    return holder(out, job.key) or "another process"


def _run(job: Job, out: Path, console: Console) -> bool:
    """Compute one run; a failure is written down with its traceback."""
    try:
        _compute(job, out, console)
    except (InterruptedRunError, KeyboardInterrupt) as stop:
        raise InterruptedRunError(
            f"stopped in {job.key}; nothing is lost up to its last whole epoch. Give the same command again to go on"
        ) from stop
    except Exception as error:  # whatever it is, the other runs are worth having
        message = write_failure(out, job.key, error)
        console.print(f"[red]{job.key} failed:[/] {escape(message)}", highlight=False, soft_wrap=True)
        return False
    return True


def _compute(job: Job, out: Path, console: Console) -> None:
    """Start a run, or go on with one that was begun."""
    folder = job.folder(out)
    if folder.is_there():
        write_recipe(folder, job.recipe)  # the same run; its data and device may be elsewhere now
        resume(folder.path, console=console)
        return
    if folder.path.exists():  # killed before there was anything to go on from
        shutil.rmtree(folder.path)
    train(job.recipe, out=folder.path, console=console)


def _note(out: Path, key: str) -> Path:
    return out / "failures" / f"{key}.json"
