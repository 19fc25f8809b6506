"""Keep Pillow's warnings about damaged files inside, from any number of threads."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_filter_lock = Lock()
_inside = 0
_before: "warnings.catch_warnings[None] | None" = None


@contextmanager
def suppress_pillow_warnings() -> Iterator[None]:
    """Ignore warnings that Pillow's modules give.

    ``warnings.catch_warnings`` changes the whole process, and several threads that nest it restore each
    other's filters. So the first thread in sets the filter, and the last one out restores what was before.
    """
    global _inside, _before  # noqa: PLW0603 - the filters are the process's own
    with _filter_lock:
        _inside += 1
        if _inside == 1:
            _before = warnings.catch_warnings()
            _before.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
    try:
        yield
    finally:
        with _filter_lock:
            _inside -= 1
            if _inside == 0 and _before is not None:
                _before.__exit__(None, None, None)
                _before = None
