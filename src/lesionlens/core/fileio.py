"""Atomic writes, file locks, checksums and the cache directory.

A file or directory is either unchanged or complete: it is written under a temporary name and then renamed.
"""

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

_LOCK_POLL_INTERVAL = 0.2  # seconds between two attempts to acquire a lock


def default_cache_dir() -> Path:
    """Return the cache directory: ``LESIONLENS_CACHE`` if set, otherwise the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESIONLENS_CACHE") or Path(base) / "lesionlens")


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``, and rename it to ``path`` on success.

    On any failure, including an interrupt, ``path`` is unchanged and the temporary file is removed.

    Raises
    ------
    RunError
        The directory is not writable, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise write_error(path, error) from error
    partial = Path(name)
    try:
        yield partial
        _fsync(partial)
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory next to ``path``, and rename it to ``path`` on success.

    On any failure, the temporary directory is removed.

    Raises
    ------
    DataError
        ``path`` exists and is not an empty directory, or its parent is not writable.
    """
    if path.exists() and (not path.is_dir() or any(islice(path.iterdir(), 1))):
        raise DataError(
            f"{path} exists and is not empty: nothing is overwritten. Remove it or name a new folder."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise DataError(f"cannot write next to {path}: {error.strerror}. Choose another folder.") from error
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        if path.exists():
            path.rmdir()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fsync(path: Path) -> None:
    """Flush a file to disk, and give it the permissions of any other new file."""
    path.chmod(0o666 & ~_umask())
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    """Return the permission bits that new files and directories lack; reading them requires setting them."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_error(path: Path, error: OSError) -> RunError:
    """Return an error that states why a file cannot be written and what to do."""
    reason = error.strerror or str(error)
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    advice = "Free some space" if full else "Choose a writable folder"
    return RunError(
        f"cannot write {path}: {reason}. What was written before is intact. {advice}, then run again."
    )


@contextmanager
def file_lock(
    path: Path, *, wait: bool = True, on_wait: Callable[[], None] | None = None, delete: bool = False
) -> Iterator[bool]:
    """Hold an exclusive lock between processes, and yield whether it was acquired.

    The operating system holds the lock: it ends with the block or with the process, even if that is killed. Other
    machines respect it if they mount the same folder with locks (NFS from version 4, Lustre and GPFS with locking
    enabled).

    Parameters
    ----------
    path
        The lock file; its directory is created.
    wait
        If another process holds the lock: True waits for it, False yields False at once.
    on_wait
        Called once before waiting.
    delete
        Remove the lock file at the end of the block. Processes that opened it before lock the file that replaces it.

    Raises
    ------
    RunError
        The directory is not writable, or its file system has no locks.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        acquired = _acquire(lock, wait=wait, on_wait=on_wait)
    except (OSError, NotImplementedError) as error:
        raise RunError(
            f"cannot write {path}: {error}. Choose a writable folder on a file system that has locks"
        ) from error
    try:
        yield acquired
    finally:
        if acquired and delete:
            with suppress(OSError):  # on Windows, releasing removes it
                path.unlink()
        lock.release()


def _acquire(lock: FileLock, *, wait: bool, on_wait: Callable[[], None] | None) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            return False
        if on_wait is not None:
            on_wait()
        lock.acquire(poll_interval=_LOCK_POLL_INTERVAL)
    if _is_in_place(lock):
        return True
    lock.release()
    return _acquire(lock, wait=wait, on_wait=None)


def _is_in_place(lock: FileLock) -> bool:
    """Return whether the locked file is still at its path: a holder that deletes it may have removed it meanwhile.

    A count of its links does not tell: NFS renames a removed file that is open.
    """
    descriptor = lock._context.lock_file_fd  # filelock has no public name for it
    assert descriptor is not None
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(lock.lock_file))
    return False


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Lock an output file for one writer, without waiting; the lock file disappears with the block.

    Raises
    ------
    RunError
        Another process writes the file, or the directory is not writable.
    """
    with file_lock(out.with_name(f".{out.name}.lock"), wait=False, delete=True) as acquired:
        if not acquired:
            raise RunError(f"another process is writing {out}; wait for it, or choose another --out")
        yield
