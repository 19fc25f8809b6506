"""Atomic writes, file locks, checksums and the cache directory.

A file or directory is either unchanged or complete: it is written under a temporary name and then renamed.
"""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from lesionlens.core.errors import DataError, RunError, WriteError
from lesionlens.core.partial_files import partial_directory, partial_file

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
    with _write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path.parent, path.name) as partial:
            yield partial
            _fsync(partial)
            partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; bytes of names that are not UTF-8 are escaped."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory next to ``path``, and rename it to ``path`` on success.

    On any failure, the temporary directory is removed.

    Raises
    ------
    DataError, WriteError
        As ``check_new_dir``.
    """
    check_new_dir(path)
    with ExitStack() as stack:
        with _write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = stack.enter_context(partial_directory(path.parent, path.name))
        yield partial
        partial.chmod(0o777 & ~current_umask())
        if path.exists():
            path.rmdir()
        partial.rename(path)


def _fsync(path: Path) -> None:
    """Flush a file to disk, and give it the permissions of any other new file."""
    path.chmod(0o666 & ~current_umask())
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def current_umask() -> int:
    """Return the permission bits that new files and directories lack; reading them requires setting them."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_error(path: Path, error: OSError) -> WriteError:
    """Return an error that states why a file cannot be written and what to do."""
    reason = error.strerror or str(error)
    advice = _WRITE_ADVICE.get(error.errno or 0, "Choose a writable folder")
    return WriteError(
        f"cannot write {path}: {reason}. What was written before is intact. {advice}, then run again."
    )


_WRITE_ADVICE = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space of your quota",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f)",
}


def check_writable_dir(path: Path) -> None:
    """Raise an error unless files can be written in a directory, which need not exist yet.

    Commands call it, or one of the next two functions, before they compute what they write.

    Raises
    ------
    WriteError
        The directory cannot be created or written, or its device is full; the message states why.
    """
    with _write_errors(path):
        existing = path.absolute()
        while not (existing.exists() or existing.is_symlink()):
            existing = existing.parent
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing, buffering=0) as stream:
            stream.write(b"\n")  # on a full device, a file can still be created


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def check_writable_file(path: Path) -> None:
    """Raise an error unless a file can be written or replaced; its directory need not exist yet.

    Raises
    ------
    WriteError
        The path is a directory or a device, or its directory cannot be written (see ``check_writable_dir``).
    """
    with _write_errors(path):
        is_file, is_folder, exists = path.is_file(), path.is_dir(), path.exists()
    if is_folder:
        raise WriteError(f"{path} is a folder. Pass the name of a file, for example {path / 'NAME'}")
    if exists and not is_file:
        raise WriteError(f"{path} is a device or a pipe, which cannot be replaced. Pass the name of a file")
    check_writable_dir(path.parent)


def check_new_dir(path: Path) -> None:
    """Raise an error unless a directory can be created or, if it is empty, replaced.

    Raises
    ------
    DataError
        The path exists and is not an empty directory.
    WriteError
        It is a mount point, or its parent cannot be written (see ``check_writable_dir``).
    """
    with _write_errors(path):
        is_taken = path.exists() and (not path.is_dir() or any(islice(path.iterdir(), 1)))
    if is_taken:
        raise DataError(
            f"{path} exists and is not empty: nothing is overwritten. Remove it or name a new folder."
        )
    check_replaceable_dir(path)


def check_replaceable_dir(path: Path) -> None:
    """Raise an error unless a new directory can be moved to a path that does not exist or is an empty directory.

    Raises
    ------
    WriteError
        It is a mount point, or its parent cannot be written (see ``check_writable_dir``).
    """
    if path.is_mount():
        raise WriteError(f"{path} is a mount point, which cannot be replaced. Name a new folder in it")
    check_writable_dir(path.absolute().parent)


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
    lock = FileLock(path, fallback_to_soft=False)  # a mere marker file would outlive a process that is killed
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        acquired = _acquire(lock, wait=wait, on_wait=on_wait)
    except OSError as error:
        if error.errno in _NO_LOCK_ERRORS:
            raise RunError(
                f"the file system of {path.parent} has no file locks ({error}). Choose a folder on another file "
                "system: without locks, two processes could write the same file"
            ) from error
        raise write_error(path, error) from error
    try:
        yield acquired
    finally:
        if acquired and delete:
            with suppress(OSError):  # on Windows, releasing removes it
                path.unlink()
        lock.release()


_NO_LOCK_ERRORS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}


def _acquire(lock: FileLock, *, wait: bool, on_wait: Callable[[], None] | None) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            return False
        if on_wait is not None:
            on_wait()
        lock.acquire(timeout=-1, poll_interval=_LOCK_POLL_INTERVAL)
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
