"""Issues: counted by kind, shown by example, raised in one message."""

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import MAX_EXAMPLES, IssueCollector


def test_no_issue_raises_nothing() -> None:
    problems = IssueCollector()
    problems.add_error("kind", [])
    problems.add_warning("other", iter(()))
    problems.raise_errors("here")
    assert problems.errors == problems.warnings == ()


def test_only_warnings_raise_nothing() -> None:
    problems = IssueCollector()
    problems.add_warning("rows", ["a"], hint="Ignore them.")
    problems.raise_errors("here")
    assert problems.warnings == ("rows: 1 (a). Ignore them.",)


def test_counts_exceed_the_shown_examples() -> None:
    problems = IssueCollector()
    problems.add_error("rows", (str(i) for i in range(1000)), hint="Mend them.")
    problems.add_error("rows", ["more"], hint="Mend them.")
    assert problems.errors == ("rows: 1,001 (0, 1, 2, 3, 4, …). Mend them.",)
    assert MAX_EXAMPLES == 5


def test_one_kind_of_error_is_in_the_first_line() -> None:
    problems = IssueCollector()
    problems.add_error("a", ["1", "2"], hint="Mend them.")
    problems.add_warning("w", ["3"])
    with pytest.raises(DataError) as caught:
        problems.raise_errors("here")
    assert str(caught.value) == "here cannot be used: a: 2 (1, 2). Mend them.\n  warning: w: 1 (3)."


def test_several_kinds_of_errors_have_a_line_each() -> None:
    problems = IssueCollector()
    problems.add_error("a", ["1", "2"])
    problems.add_warning("w", ["3"], hint="Fine.")
    problems.add_error("b", ["4"])
    with pytest.raises(DataError) as caught:
        problems.raise_errors("ham10000:/data")
    assert str(caught.value).splitlines() == [
        "ham10000:/data cannot be used: 3 errors of 2 kinds, and 1 warning",
        "  error: a: 2 (1, 2).",
        "  error: b: 1 (4).",
        "  warning: w: 1 (3). Fine.",
    ]
