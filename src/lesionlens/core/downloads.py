"""Downloads that end when no data arrives any more."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

DOWNLOAD_TIMEOUT = 20.0  # seconds without a new byte
_POLL_INTERVAL = 0.2  # seconds


def run_while_growing(function: Callable[[], Path], folder: Path, timeout: float) -> Path:
    """Run a download in a thread, and raise an error if the files of its folder do not grow for some time.

    Time-outs of the client do not suffice: they apply to each of its many attempts, and not to the search for the
    server's address.
    """
    outcome: list[Path | Exception] = []

    def run() -> None:
        try:
            outcome.append(function())
        except Exception as error:  # raised again in the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)  # does not keep the process if no answer comes
    thread.start()
    size, last = -1, time.monotonic()
    while thread.is_alive():
        thread.join(min(_POLL_INTERVAL, timeout))
        if (now := _total_size(folder)) != size:
            size, last = now, time.monotonic()
        elif time.monotonic() - last > timeout and thread.is_alive():
            raise TimeoutError(f"no data arrived for {timeout:g} s")
    result = outcome[0]
    if isinstance(result, Exception):
        raise result
    return result


def _total_size(folder: Path) -> int:
    """Return the size of the files of a folder in bytes; 0 if it does not exist."""
    size = 0
    for file in folder.glob("*"):
        try:
            size += file.stat().st_size
        except OSError:  # renamed in the meantime
            continue
    return size
