"""Check arguments that are lists of names: one string is a list of letters."""

from collections.abc import Iterable


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
