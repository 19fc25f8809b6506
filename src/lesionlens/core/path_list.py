"""Check arguments that are lists of paths: one string is a list of letters, and an array is not a file."""

import os
from collections.abc import Iterable


def as_path_list(paths: object, name: str) -> list[str | os.PathLike[str]]:
    """Return paths as a list.

    Parameters
    ----------
    paths
        Iterable of paths.
    name
        Name of the argument, for the message.

    Raises
    ------
    TypeError
        It is a single path, pixels, or something else; the message states what to pass.

    Examples
    --------
    >>> as_path_list(("a.jpg", "b.jpg"), "images")
    ['a.jpg', 'b.jpg']
    >>> as_path_list("a.jpg", "images")
    Traceback (most recent call last):
    ...
    TypeError: images is one path, 'a.jpg'; pass a list: ['a.jpg']
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"{name} is one path, {os.fspath(paths)!r}; pass a list: [{os.fspath(paths)!r}]")
    if (
        isinstance(paths, bytes | dict)
        or not isinstance(paths, Iterable)
        or hasattr(paths, "__array_interface__")
    ):
        raise TypeError(f"{name} is {_describe(paths)}, not a list of paths. {_ADVICE}")
    items = list(paths)
    for item in items:
        if not isinstance(item, str | os.PathLike):
            raise TypeError(f"{name} contains {_describe(item)}, not a path. {_ADVICE}")
    return items


_ADVICE = "Save pixels as image files, and pass a list of their paths, or of folders and tables"


def _describe(value: object) -> str:
    shape = getattr(value, "shape", None)
    return f"an object of type {type(value).__name__}" + (
        "" if shape is None else f" and shape {tuple(shape)}"
    )
