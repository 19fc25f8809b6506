"""Check arguments that are lists of names or paths: one string is a list of letters, an array is not a file."""

import os
from collections.abc import Iterable


def as_path_list(paths: object, argument: str) -> list[str | os.PathLike[str]]:
    """Return paths as a list.

    Parameters
    ----------
    paths
        Iterable of paths.
    argument
        Its name, for the message.

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
        raise TypeError(f"{argument} is one path, {os.fspath(paths)!r}; pass a list: [{os.fspath(paths)!r}]")
    if (
        isinstance(paths, bytes | dict)
        or not isinstance(paths, Iterable)
        or hasattr(paths, "__array_interface__")
    ):
        raise TypeError(f"{argument} is {_describe(paths)}, not a list of paths. {_ADVICE}")
    items = list(paths)
    for item in items:
        if not isinstance(item, str | os.PathLike):
            raise TypeError(f"{argument} contains {_describe(item)}, not a path. {_ADVICE}")
    return items


def as_name_list(names: Iterable[str], argument: str) -> tuple[str, ...]:
    """Return names as a tuple.

    Raises
    ------
    TypeError
        It is a single name.

    Examples
    --------
    >>> as_name_list("cam", "methods")
    Traceback (most recent call last):
    ...
    TypeError: methods is one name, 'cam'; pass a list: ['cam']
    """
    if isinstance(names, str):
        raise TypeError(f"{argument} is one name, {names!r}; pass a list: [{names!r}]")
    return tuple(names)


_ADVICE = "Save pixels as image files, and pass a list of their paths, or of folders and tables"


def _describe(value: object) -> str:
    shape = getattr(value, "shape", None)
    return f"an object of type {type(value).__name__}" + (
        "" if shape is None else f" and shape {tuple(shape)}"
    )
