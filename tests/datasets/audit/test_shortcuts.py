"""Shortcuts: how well a column predicts the class, on hand-computed cases."""

import numpy as np
import pytest

from lesionlens.datasets.audit.shortcuts import find_shortcuts


def evaluate_column(values: list[str], classes: list[str]) -> list[tuple[float, float, float]]:
    groups = np.array([str(n) for n in range(len(values))])
    shortcuts = find_shortcuts({"x": np.array(values)}, np.array(classes), groups)
    return [(item.balanced_accuracy, item.chance, item.coverage) for item in shortcuts]


def test_column_equal_to_the_class_predicts_it_fully() -> None:
    classes = ["a", "b", "c", "c"] * 10
    assert evaluate_column(classes, classes) == [(1.0, pytest.approx(1 / 3), pytest.approx(1.0))]


def test_two_values_predict_at_most_two_of_four_classes() -> None:
    classes = ["a", "b", "c", "d"] * 10
    values = ["x" if name == "a" else "y" for name in classes]
    accuracy, chance, coverage = evaluate_column(values, classes)[0]
    assert (accuracy, chance, coverage) == (0.5, 0.25, 1.0)


def test_class_imbalance_does_not_help_a_random_column() -> None:
    rng = np.random.default_rng(0)
    classes = ["a"] * 900 + ["b"] * 100
    values = rng.choice(["x", "y", "z"], 1000).tolist()
    accuracy, _, coverage = evaluate_column(values, classes)[0]
    assert accuracy == pytest.approx(0.5, abs=0.1)
    assert coverage < 0.2


def test_unique_values_are_not_learned_from_themselves() -> None:
    classes = ["a", "b"] * 20
    accuracy, _, coverage = evaluate_column([str(n) for n in range(40)], classes)[0]
    assert accuracy == 0.5  # all new values get the most frequent class
    assert coverage == 0.0


def test_images_of_a_lesion_are_in_the_same_fold() -> None:
    groups = np.repeat([str(n) for n in range(20)], 2)
    classes = np.repeat(["a", "b"] * 10, 2)
    shortcuts = find_shortcuts({"x": groups}, classes, groups)
    assert (
        shortcuts[0].balanced_accuracy == 0.5
    )  # with folds by image, the value of the lesion would be known


def test_columns_that_cannot_be_evaluated_are_excluded() -> None:
    assert evaluate_column(["x"] * 20, ["a", "b"] * 10) == []  # one value
    assert evaluate_column(["x", "y"] * 10, ["a"] * 20) == []  # one class
    assert evaluate_column(["x", "y"] * 4, ["a"] * 4 + ["b"] * 4) == []  # only four lesions per class


def test_rows_without_a_class_are_ignored() -> None:
    classes, values = ["a", "b"] * 10, ["x", "y"] * 10
    assert evaluate_column(values + ["z"] * 10, classes + [""] * 10) == evaluate_column(values, classes)
