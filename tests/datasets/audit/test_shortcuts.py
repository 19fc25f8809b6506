"""What a column tells of the class, on cases worked by hand."""

import numpy as np
import pytest

from lesionlens.datasets.audit.shortcuts import find_shortcuts


def of(values: list[str], classes: list[str]) -> list[tuple[float, float, float]]:
    groups = np.array([str(n) for n in range(len(values))])
    found = find_shortcuts({"x": np.array(values)}, np.array(classes), groups)
    return [(each.balanced_accuracy, each.chance, each.coverage) for each in found]


def test_a_column_that_is_the_class_tells_all() -> None:
    classes = ["a", "b", "c", "c"] * 10
    assert of(classes, classes) == [(1.0, pytest.approx(1 / 3), pytest.approx(1.0))]


def test_two_values_tell_two_of_four_classes_at_most() -> None:
    classes = ["a", "b", "c", "d"] * 10
    values = ["x" if each == "a" else "y" for each in classes]
    accuracy, chance, reach = of(values, classes)[0]
    assert (accuracy, chance, reach) == (0.5, 0.25, 1.0)


def test_an_unbalanced_class_does_not_help_a_column_that_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    classes = ["a"] * 900 + ["b"] * 100
    values = rng.choice(["x", "y", "z"], 1000).tolist()
    accuracy, _, reach = of(values, classes)[0]
    assert accuracy == pytest.approx(0.5, abs=0.1)
    assert reach < 0.2


def test_a_value_seen_once_is_not_learnt_from_itself() -> None:
    classes = ["a", "b"] * 20
    accuracy, _, reach = of([str(n) for n in range(40)], classes)[0]
    assert accuracy == 0.5  # new values all get the commonest class
    assert reach == 0.0


def test_the_images_of_a_lesion_are_not_on_both_sides() -> None:
    groups = np.repeat([str(n) for n in range(20)], 2)
    classes = np.repeat(["a", "b"] * 10, 2)
    found = find_shortcuts({"x": groups}, classes, groups)
    assert found[0].balanced_accuracy == 0.5  # by image, the lesion would be known again


def test_what_cannot_be_measured_is_left_out() -> None:
    assert of(["x"] * 20, ["a", "b"] * 10) == []  # one value
    assert of(["x", "y"] * 10, ["a"] * 20) == []  # one class
    assert of(["x", "y"] * 4, ["a"] * 4 + ["b"] * 4) == []  # four lesions of a class


def test_rows_without_a_class_do_not_count() -> None:
    classes, values = ["a", "b"] * 10, ["x", "y"] * 10
    assert of(values + ["z"] * 10, classes + [""] * 10) == of(values, classes)
