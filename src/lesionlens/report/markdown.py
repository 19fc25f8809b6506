"""Markdown of texts and tables, with characters of a name that Markdown would interpret escaped."""

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup

_ABSOLUTE_PATH = re.compile(r"(?<![\w.~/])(?:/|[A-Za-z]:\\)(?:[^/\\\s'\",:]+[/\\])+(?=[^/\\\s'\",]+)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def escape_markdown(text: str) -> str:
    r"""Return a text on one line that Markdown shows unchanged, also in a table; ``Markup`` may have HTML.

    Absolute paths have only their last part.

    Examples
    --------
    >>> print(escape_markdown("my_model | *v2*"))
    my\_model \| \*v2\*
    """
    line = hide_folders(" ".join(str(text).split()))
    return line.replace("|", r"\|") if isinstance(text, Markup) else _SPECIAL.sub(r"\\\1", line)


def one_line(text: str) -> str:
    """Return Markdown of an author on one line, which cannot end a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown on one line.

    Examples
    --------
    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def bullets(items: Iterable[str]) -> str:
    """Return a list with one item per line."""
    return "\n".join(f"- {item}" for item in items)


def heading_anchor(title: str) -> str:
    """Return the link to a heading, as GitHub and Hugging Face name it.

    Examples
    --------
    >>> heading_anchor("How far to believe the scores")
    '#how-far-to-believe-the-scores'
    """
    return "#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def hide_folders(text: str) -> str:
    """Return a text in which absolute paths have only their last part.

    Examples
    --------
    >>> hide_folders("source: ham10000:/home/me/data/ham")
    'source: ham10000:…/ham'
    """
    return _ABSOLUTE_PATH.sub("…/", text)
