"""One process writes a file; others are refused meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lesionlens.atomic import write_error
from lesionlens.errors import RunError


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
