"""One kind of thing that an audit found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

FindingSeverity = Literal["leak", "conflict", "note"]


@dataclass(frozen=True)
class Finding:
    """How often something was found, with all cases.

    Attributes
    ----------
    kind
        In the plural, to be read after the number.
    severity
        ``leak``: numbers may be too good; ``conflict``: of two statements one is wrong; ``note``: good to know.
    cases
        One line each.
    """

    kind: str
    severity: FindingSeverity
    cases: tuple[str, ...]


def drop_empty(candidates: Iterable[tuple[str, FindingSeverity, Sequence[str]]]) -> list[Finding]:
    """Keep the kinds that have a case."""
    return [Finding(kind, severity, tuple(cases)) for kind, severity, cases in candidates if len(cases)]
