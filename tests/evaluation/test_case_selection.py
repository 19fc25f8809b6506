"""Example cases: order, ties, one case per lesion, and file names."""

import numpy as np

from lesionlens.evaluation.case_selection import ExampleCase, file_stem, select_cases
from lesionlens.evaluation.predictions import Predictions


def table(rows: list[tuple[str, str, str, float]]) -> Predictions:
    ids, lesions, labels, scores = zip(*rows, strict=True)
    first = np.array(scores)
    return Predictions(
        np.array(ids), np.array(lesions), np.array(labels), np.column_stack([first, 1 - first]), ("a", "b")
    )


ROWS = [
    ("i1", "l1", "a", 0.95),
    ("i2", "l1", "a", 0.90),  # same lesion as i1
    ("i3", "l2", "a", 0.70),
    ("i4", "l3", "a", 0.20),  # incorrect, 0.8 for b
    ("i5", "l4", "a", 0.10),  # incorrect, 0.9 for b
    ("i6", "l5", "b", 0.40),
    ("i7", "l6", "", 0.99),  # no label
]


def test_most_confident_cases_first_and_each_lesion_once() -> None:
    assert select_cases(table(ROWS), per_class=1) == (
        ExampleCase("i1", "a", "a", 0.95),
        ExampleCase("i5", "a", "b", 0.90),
        ExampleCase("i6", "b", "b", 0.60),
    )
    assert [case.image_id for case in select_cases(table(ROWS))] == ["i1", "i3", "i5", "i4", "i6"]


def test_selection_is_independent_of_row_order() -> None:
    tied = [(f"i{n}", f"l{n}", "a", 0.75) for n in range(9)]
    assert select_cases(table(tied)) == select_cases(table(tied[::-1]))
    assert [case.image_id for case in select_cases(table(tied), per_class=2)] == ["i0", "i1"]


def test_no_cases_without_labels() -> None:
    assert select_cases(table([("i1", "l1", "", 0.5)])) == ()


def test_file_stems_are_distinct_and_safe() -> None:
    ids = ["a", "a.b", "a/b", "a%2Fb", "<script>", "ISIC_0000001"]
    assert len({file_stem(name) for name in ids}) == len(ids)
    assert not any(set(file_stem(name)) & set("/.<>\\") for name in ids)
