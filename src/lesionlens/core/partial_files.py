"""Temporary files and directories next to their target; those of killed processes are removed by the next process."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_NAME = re.compile(r"\..+\.[a-z0-9_]{8}\.partial", re.DOTALL)
_cleaned: set[str] = set()  # directories in which this process has removed what killed processes left


@contextmanager
def partial_file(folder: Path, name: str) -> Iterator[Path]:
    """Yield a new empty file ``.NAME.RANDOM.partial`` in a folder, and remove it at the end if it is still there."""
    with _created(folder, name, directory=False) as path:
        yield path


@contextmanager
def partial_directory(folder: Path, name: str) -> Iterator[Path]:
    """Yield a new directory ``.NAME.RANDOM.partial`` in a folder, and remove it at the end if it is still there."""
    with _created(folder, name, directory=True) as path:
        yield path


@contextmanager
def _created(folder: Path, name: str, *, directory: bool) -> Iterator[Path]:
    if str(folder.absolute()) not in _cleaned:
        remove_stale_partials(folder)
        _cleaned.add(str(folder.absolute()))
    path, descriptor = _create_locked(folder, name, directory=directory)
    try:
        yield path
    finally:
        _remove(path)
        if descriptor is not None:
            os.close(descriptor)


def remove_stale_partials(folder: Path) -> None:
    """Remove the temporary files and directories of a folder whose process has ended.

    A process locks its own as long as it writes them. On a file system without locks, nothing is removed.
    """
    names = [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    for path in (folder / name for name in names):
        with suppress(OSError):  # locked by its process, of another user, or removed by another process
            descriptor = _lock(path)
            if descriptor is not None:
                _remove(path)
                os.close(descriptor)


def _create_locked(folder: Path, name: str, *, directory: bool) -> tuple[Path, int | None]:
    """Create and lock a file or directory; another process may remove it between these two steps."""
    prefix = f".{name}."
    while True:
        if directory:
            path = Path(tempfile.mkdtemp(prefix=prefix, suffix=".partial", dir=folder))
        else:
            handle, created = tempfile.mkstemp(prefix=prefix, suffix=".partial", dir=folder)
            os.close(handle)
            path = Path(created)
        with suppress(BlockingIOError, FileNotFoundError):
            descriptor = _lock(path)
            if descriptor is None or path.exists():
                return path, descriptor
            os.close(descriptor)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a file or directory; None if there are no locks.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    FileNotFoundError
        It does not exist.
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
