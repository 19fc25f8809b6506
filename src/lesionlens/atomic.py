"""Files and folders that are either as they were or complete: written under a temporary name, then renamed."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from lesionlens.errors import DataError, RunError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes the place of ``path`` in one step.

    A failure of any kind, an interrupt included, leaves ``path`` untouched and removes the temporary file.

    Raises
    ------
    RunError
        The folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise write_error(path, error) from error
    part = Path(name)
    try:
        yield part
        _fsync(part)
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` that takes its name at the end, or vanishes.

    Raises
    ------
    DataError
        ``path`` holds something already, or its parent cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(islice(path.iterdir(), 1))):
        raise DataError(
            f"{path} exists and is not empty: nothing is overwritten. Remove it or name a new folder."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise DataError(f"cannot write beside {path}: {error.strerror}. Choose another folder.") from error
    try:
        yield part
        part.chmod(0o777 & ~_umask())
        if path.exists():
            path.rmdir()
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fsync(path: Path) -> None:
    """Bring the bytes to the disk and give the file the permissions of any other new file."""
    path.chmod(0o666 & ~_umask())
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    """Give what new files and folders are not permitted; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_error(path: Path, error: OSError) -> RunError:
    """Give the error that says why a file cannot be written, and what to do."""
    reason = error.strerror or str(error)
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    advice = "Free some space" if full else "Choose a folder that can be written"
    return RunError(
        f"cannot write {path}: {reason}. What was written before is intact. {advice}, then run again."
    )
