"""Who computes what, where several machines share a folder: a run is one process' while that lives."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lesionlens.errors import RunError

_POLL_SECONDS = 0.5  # seconds between two looks at what another has


@contextmanager
def acquire_run(out: Path, key: str, *, wait: bool = False) -> Iterator[bool]:
    """Claim a run; False where another process has it. The claim ends with the block, or with the process.

    It is a lock of the operating system, which every machine that mounts the folder sees (NFS from version 4; Lustre
    and GPFS with locks switched on) and which a killed process cannot leave behind.

    Parameters
    ----------
    wait
        Until whoever has it has done with it or is gone.

    Raises
    ------
    RunError
        The folder cannot be written, or its file system has no locks.
    """
    place = out / "claims" / f"{key}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place, timeout=-1 if wait else 0)
        lock.acquire(poll_interval=_POLL_SECONDS)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as error:
        raise RunError(
            f"cannot claim {place}: {error}. Choose an --out that can be written and locked"
        ) from error
    try:
        place.with_suffix(".txt").write_text(f"{socket.gethostname()} {os.getpid()}\n", encoding="utf-8")
        yield True
    finally:
        place.with_suffix(".txt").unlink(missing_ok=True)
        lock.release()


def lock_owner(out: Path, key: str) -> str:
    """Say which machine and process has a run; "" where nobody says so."""
    note = out / "claims" / f"{key}.txt"
    return note.read_text(encoding="utf-8").strip() if note.is_file() else ""
