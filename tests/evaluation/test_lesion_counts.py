"""Where the only lesion of a class determines a value, neither evaluations nor comparisons have an interval."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lesionlens.evaluation.comparison.bootstrap import bootstrap_differences
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.lesion_counts import count_lesions
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED, MetricKey
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS


def with_lesions(lesions_per_class: list[int], *, images_per_lesion: int = 2, seed: int = 0) -> Predictions:
    """Return noisy predictions of classes a, b … with so many lesions each."""
    rng = np.random.default_rng(seed)
    classes = tuple("abcd"[: len(lesions_per_class)])
    labels = [name for name, n in zip(classes, lesions_per_class, strict=True) for _ in range(n)]
    label = np.repeat(labels, images_per_lesion)
    lesion = np.repeat(np.char.add("L", np.arange(len(labels)).astype(str)), images_per_lesion)
    scores = rng.dirichlet(np.ones(len(classes)), size=len(label))
    ids = np.char.add("i", np.arange(len(label)).astype(str))
    return Predictions(ids, lesion, label, scores, classes)


def metrics_without_interval(
    predictions: Predictions, other: Predictions
) -> tuple[set[MetricKey], set[MetricKey]]:
    """Return the metrics for whose intervals one lesion is too few, in an evaluation and in a comparison."""
    result = evaluate(predictions, n_resamples=100)
    evaluated = {(e.metric, e.scope) for e in result.estimates if "only one lesion" in e.caveat}
    assert all(np.isnan(e.low) for e in result.estimates if (e.metric, e.scope) in evaluated)
    keys = [(e.metric, e.scope) for e in result.estimates if not np.isnan(e.value)]
    differences = bootstrap_differences(predictions, other, keys, n_resamples=20)
    compared = {
        key
        for key, d in zip(keys, differences, strict=True)
        if "only one lesion" in d.reason and np.isnan(d.p)
    }
    return evaluated, compared


@pytest.mark.parametrize(
    "lesions", [[6, 7, 1], [1, 9], [9, 1], [1, 1], [1, 1, 5], [5, 1, 8, 1], [4, 5], [3, 4, 5]]
)
def test_evaluations_and_comparisons_agree(lesions: list[int]) -> None:
    evaluated, compared = metrics_without_interval(with_lesions(lesions), with_lesions(lesions, seed=1))
    assert {key for key in evaluated if key in compared} == compared
    assert bool(evaluated) == (1 in lesions)
    affected = {
        scope for metric, scope in evaluated if metric == "sensitivity" and not isinstance(scope, str)
    }
    assert (("balanced_accuracy", OVERALL) in evaluated) == bool(affected) == (1 in lesions)
    assert ("accuracy", OVERALL) not in evaluated


def test_an_average_names_the_class_with_one_lesion() -> None:
    predictions = with_lesions([6, 7, 1])
    result = evaluate(predictions, n_resamples=100)
    for metric, scope in [
        ("auc", WEIGHTED),
        ("balanced_accuracy", OVERALL),
        ("f1_weighted_by_predictions", WEIGHTED),
    ]:
        assert result.estimate(metric, scope).caveat == "only one lesion of c: there is no interval"
    assert not np.isnan(result.estimate("specificity", WEIGHTED).low)  # it rests on the lesions of a and b


def test_without_resamples_there_is_no_caveat() -> None:
    result = evaluate(with_lesions([6, 1]), n_resamples=0)
    assert not [estimate for estimate in result.estimates if "lesion" in estimate.caveat]


def test_averages_without_a_target_class_are_undefined() -> None:
    predictions = replace(with_lesions([4, 0, 0]), other_class="a")
    keys: list[MetricKey] = [
        ("auc", MACRO),
        ("sensitivity", WEIGHTED),
        ("f1_weighted_by_predictions", WEIGHTED),
    ]
    for result in bootstrap_differences(predictions, predictions, keys, n_resamples=5):
        assert np.isnan([result.difference, result.low, result.p]).all()
        assert result.reason == "no image of a target class"
    assert np.isnan(evaluate(predictions, n_resamples=5).value("auc"))


def test_counts_of_a_lesion_with_two_labels() -> None:
    predictions = Predictions(list("123"), ["L", "L", "M"], ["a", "b", "b"], np.full((3, 2), 0.5), ("a", "b"))
    counts = count_lesions(predictions)
    assert (counts.total, counts.of_class, counts.of_others) == (2, {"a": 1, "b": 2}, {"a": 2, "b": 1})


def test_decisive_lesions_are_those_of_the_smallest_group() -> None:
    counts = count_lesions(with_lesions([3, 9]))
    needed = {name: counts.decisive(metric, "a") for name, metric in METRICS.items() if metric.class_function}
    assert needed["auc"] == needed["sensitivity"] == 3
    assert needed["specificity"] == 9
    assert needed["accuracy"] == 12


def test_every_average_of_a_class_without_an_interval_has_none() -> None:
    result = evaluate(with_lesions([1, 8, 8]), n_resamples=100)
    for metric, average in product(METRICS.values(), (0, 1)):
        if average < len(metric.averages):
            of_class = result.estimate(metric.averaged, "a")
            estimate = result.estimate(metric.name, metric.averages[average].scope)
            assert ("only one lesion" in of_class.caveat) == ("only one lesion of a" in estimate.caveat)
