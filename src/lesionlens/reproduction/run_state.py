"""Locks and failure records of runs in the folder of a reproduction, for all processes that work on it."""

import os
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lesionlens.core.errors import LesionLensError
from lesionlens.core.fileio import file_lock
from lesionlens.core.json_file import read_json, write_json


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
    with file_lock(out / "locks" / f"{key}.lock", wait=wait) as acquired:
        if not acquired:
            yield False
            return
        try:
            _owner_path(out, key).write_text(f"{socket.gethostname()} {os.getpid()}\n", encoding="utf-8")
            yield True
        finally:
            clear_owner(out, key)


def lock_owner(out: Path, key: str) -> str:
    """Return machine and process that execute a run; "" if unknown."""
    with suppress(FileNotFoundError):  # the owner deletes it
        return _owner_path(out, key).read_text(encoding="utf-8").strip()
    return ""


def clear_owner(out: Path, key: str) -> None:
    """Delete the record of the process that executed a run; one that is killed at its end leaves it."""
    _owner_path(out, key).unlink(missing_ok=True)


def _owner_path(out: Path, key: str) -> Path:
    return out / "locks" / f"{key}.txt"


def read_failure(out: Path, key: str) -> str:
    """Return the error message of a failed run or page; "" if it did not fail."""
    return str(read_json(_failure_path(out, key)).get("message", ""))


def write_failure(out: Path, key: str, error: Exception) -> str:
    """Record the failure of a run or page with its traceback, and return the error message."""
    message = str(error) if isinstance(error, LesionLensError) else f"{type(error).__name__}: {error}"
    record = {
        "message": message,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "trace": "".join(traceback.format_exception(error)),
    }
    write_json(_failure_path(out, key), record)
    return message


def clear_failure(out: Path, key: str) -> None:
    """Delete the record of a failure."""
    _failure_path(out, key).unlink(missing_ok=True)


def _failure_path(out: Path, key: str) -> Path:
    return out / "failures" / f"{key}.json"
