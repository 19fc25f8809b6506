"""Problems are counted by kind, shown by example, and raised in one message."""

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import MAX_EXAMPLES, IssueCollector


def test_nothing_noted_is_nothing_raised() -> None:
    problems = IssueCollector()
    problems.add_error("kind", [])
    problems.add_warning("other", iter(()))
    problems.raise_errors("here")
    assert problems.errors == problems.warnings == ()


def test_warnings_alone_raise_nothing() -> None:
    problems = IssueCollector()
    problems.add_warning("rows", ["a"], hint="Go on.")
    problems.raise_errors("here")
    assert problems.warnings == ("rows: 1 (a). Go on.",)


def test_counts_go_on_where_examples_stop() -> None:
    problems = IssueCollector()
    problems.add_error("rows", (str(i) for i in range(1000)), hint="Mend them.")
    problems.add_error("rows", ["more"], hint="Mend them.")
    assert problems.errors == ("rows: 1,001 (0, 1, 2, 3, 4, …). Mend them.",)
    assert MAX_EXAMPLES == 5


def test_one_kind_of_error_is_told_in_the_first_line() -> None:
    problems = IssueCollector()
    problems.add_error("a", ["1", "2"], hint="Mend them.")
    problems.add_warning("w", ["3"])
    with pytest.raises(DataError) as caught:
        problems.raise_errors("here")
    assert str(caught.value) == "here cannot be used: a: 2 (1, 2). Mend them.\n  warning: w: 1 (3)."


def test_the_first_line_stands_alone_and_each_kind_has_its_own() -> None:
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
