"""Keep the warnings and messages of image decoders from the terminal: a damaged file raises one error instead."""

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

import PIL

_filter_lock = Lock()
_num_contexts = 0
_saved_filters: "warnings.catch_warnings[None] | None" = None


@contextmanager
def suppress_pillow_warnings() -> Iterator[None]:
    """Ignore warnings from Pillow's modules, in any number of threads.

    ``warnings.catch_warnings`` changes the filters of the process, and threads that use it at the same time restore
    each other's filters. Here the first thread to enter sets the filter, and the last one to leave restores it.
    """
    silence_decoder_messages()
    global _num_contexts, _saved_filters  # noqa: PLW0603 - the filters belong to the process
    with _filter_lock:
        _num_contexts += 1
        if _num_contexts == 1:
            _saved_filters = warnings.catch_warnings()
            _saved_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
    try:
        yield
    finally:
        with _filter_lock:
            _num_contexts -= 1
            if _num_contexts == 0 and _saved_filters is not None:
                _saved_filters.__exit__(None, None, None)
                _saved_filters = None


@cache
def silence_decoder_messages() -> None:
    """Silence the messages that Pillow logs and that its copy of libtiff writes to the standard error.

    libtiff has one message handler for the process. Without a separate copy of the library, nothing changes.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    packages = Path(PIL.__file__).parents[1]
    for path in (*packages.glob("pillow.libs/libtiff*"), *packages.glob("PIL/.dylibs/libtiff*")):
        try:
            library = ctypes.CDLL(str(path))
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                set_handler = getattr(library, name)
                set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
                set_handler(None)
        except (OSError, AttributeError):
            continue
