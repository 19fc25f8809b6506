"""Files and folders that are either as they were or complete: written under a temporary name, then renamed."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from lesionlens.core.errors import DataError, RunError


def default_cache_dir() -> Path:
    """Where stores are kept: LESIONLENS_CACHE, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESIONLENS_CACHE") or Path(base) / "lesionlens")


def sha256_of_file(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
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
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
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


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Let no other process write the same file meanwhile.

    Raises
    ------
    RunError
        Another one does, or the folder cannot be written.
    """
    place = out.with_name(f".{out.name}.lock")
    lock = FileLock(place, timeout=0)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another process is scoring into {out}; wait for it, or give another --out"
        ) from error
    except OSError as error:
        raise write_error(out, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it on release
            place.unlink()
        lock.release()
