"""One process does a thing while others wait for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lesionlens.errors import RunError


@contextmanager
def file_lock(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file; where another process holds it, say so by ``on_wait`` and wait.

    It is a lock of the operating system, which a killed process cannot leave behind.

    Raises
    ------
    RunError
        The folder cannot be written, or its file system has no locks.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise RunError(
            f"cannot write {path}: {error}. Choose a folder that can be written and locked, on a disk of this machine"
        ) from error
    try:
        yield
    finally:
        lock.release()
