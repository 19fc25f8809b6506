"""Issues of a dataset, collected while reading and reported in one message."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from lesionlens.core.errors import DataError

MAX_EXAMPLES = 5  # enough to see the pattern, few enough for one line
_MAX_EXAMPLE_LENGTH = 600  # characters; a message with two long paths

IssueSeverity = Literal["error", "warning"]


@dataclass
class Issue:
    """Issue of one kind, with the number of cases, a few examples and what to do."""

    kind: str
    severity: IssueSeverity
    hint: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        shown = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.kind}: {self.count:,}{shown}. {self.hint}".rstrip()


class IssueCollector:
    """Collect errors and warnings by kind; raise the errors together, or return the warnings.

    Examples
    --------
    >>> issues = IssueCollector()
    >>> issues.add_warning("rows without an image", ["a", "b"], hint="They are excluded.")
    >>> issues.warnings
    ('rows without an image: 2 (a, b). They are excluded.',)
    >>> issues.add_error("unknown labels", ["c 'wart'"], hint="Correct them.")
    >>> try:
    ...     issues.raise_errors("table:mine.csv")
    ... except DataError as error:
    ...     print(error)
    table:mine.csv cannot be used: unknown labels: 1 (c 'wart'). Correct them.
      warning: rows without an image: 2 (a, b). They are excluded.
    """

    def __init__(self) -> None:
        self._issues: dict[tuple[IssueSeverity, str], Issue] = {}
        self._excluded: dict[str, str] = {}

    def add_error(self, kind: str, cases: Iterable[str], *, hint: str = "") -> None:
        """Add cases that would invalidate training or evaluation; without a case there is no issue."""
        self._add("error", kind, cases, hint)

    def add_warning(self, kind: str, cases: Iterable[str], *, hint: str = "") -> None:
        """Add cases that only reduce the data to train on or to report."""
        self._add("warning", kind, cases, hint)

    def exclude(
        self, kind: str, ids: Iterable[str], *, reason: str, hint: str = "They are excluded."
    ) -> None:
        """Add a warning about excluded images, and record the reason for each image ID."""
        ids = list(ids)
        self.add_warning(kind, ids, hint=hint)
        self._excluded |= dict.fromkeys(ids, reason)

    def _add(self, severity: IssueSeverity, kind: str, cases: Iterable[str], hint: str) -> None:
        for case in cases:
            issue = self._issues.setdefault((severity, kind), Issue(kind, severity, hint))
            issue.count += 1
            if len(issue.examples) < MAX_EXAMPLES:
                shortened = len(case) > _MAX_EXAMPLE_LENGTH
                issue.examples.append(f"{case[:_MAX_EXAMPLE_LENGTH]}…" if shortened else case)

    @property
    def errors(self) -> tuple[str, ...]:
        """One line per kind of error."""
        return tuple(str(p) for p in self._issues.values() if p.severity == "error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line per kind of warning."""
        return tuple(str(p) for p in self._issues.values() if p.severity == "warning")

    @property
    def excluded(self) -> tuple[tuple[str, str], ...]:
        """Pairs of image ID and reason, one per excluded image."""
        return tuple(self._excluded.items())

    def raise_errors(self, source: str) -> None:
        """Raise one exception that lists all errors and warnings; do nothing if there is no error.

        Raises
        ------
        DataError
            The first line is the error if there is one kind, otherwise the number of errors. One line for each other
            kind of error or warning follows.
        """
        if self.errors:
            several = len(self.errors) > 1
            lines = [f"{source} cannot be used: {self._count_by_severity() if several else self.errors[0]}"]
            lines += [f"  error: {line}" for line in self.errors if several]
            lines += [f"  warning: {line}" for line in self.warnings]
            raise DataError("\n".join(lines))

    def _count_by_severity(self) -> str:
        errors = [p.count for p in self._issues.values() if p.severity == "error"]
        num_warnings = sum(p.count for p in self._issues.values() if p.severity == "warning")
        text = f"{pluralize(sum(errors), 'error')} of {len(errors)} kinds"
        return f"{text}, and {pluralize(num_warnings, 'warning')}" if num_warnings else text


def pluralize(count: int, noun: str) -> str:
    """Format a count with its noun, in the plural unless the count is 1.

    Examples
    --------
    >>> pluralize(1, "row"), pluralize(1200, "image")
    ('1 row', '1,200 images')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
