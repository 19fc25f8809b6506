"""Comparisons of two models on the same images: bootstrap, permutation, DeLong, McNemar, and alignment."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison import delong
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.comparison.bootstrap import (
    bootstrap_difference,
    bootstrap_differences,
    bootstrap_result,
    permutation_test,
)
from lesionlens.evaluation.comparison.tests import mcnemar
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions

from ...helpers.random_predictions import random_predictions

THREE = ("a", "b", "c")


def two(n: int = 90, *, seed: int = 0, classes: tuple[str, ...] = THREE) -> tuple[Predictions, Predictions]:
    """Simulate two models of the same images, the second with more noise; a lesion is of one class."""
    a = random_predictions(n, classes=classes, seed=seed)
    first = dict(zip(a.lesion_id, a.label, strict=True))
    label = np.array([first[lesion] for lesion in a.lesion_id])
    noise = np.random.default_rng(seed + 100).random(a.scores.shape)
    return replace(a, label=label), replace(a, label=label, scores=np.round((a.scores + noise) / 2, 2))


def test_bootstrap_matches_a_loop_over_common_resamples() -> None:
    a, b = two()
    keys = [("auc", "b"), ("f1", MACRO), ("balanced_accuracy", OVERALL)]
    weights = np.concatenate(
        list(cluster_bootstrap_weights(a.lesion_id, n_resamples=60, seed=4, strata=a.label))
    )
    loop = []
    for counts in weights.astype(int):
        images = np.repeat(np.arange(len(a)), counts)
        loop.append(np.subtract(*(_by_sklearn(model, images) for model in (a, b))))
    result = bootstrap_differences(a, b, keys, n_resamples=60, seed=4)
    point = np.subtract(*(_by_sklearn(model, np.arange(len(a))) for model in (a, b)))
    np.testing.assert_allclose([comparison.difference for comparison in result], point, atol=1e-12)
    low, high = np.quantile(loop, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(
        [(comparison.low, comparison.high) for comparison in result], np.transpose([low, high]), atol=1e-12
    )
    one_side = np.minimum(np.sum(np.array(loop) <= 1e-12, axis=0), np.sum(np.array(loop) >= -1e-12, axis=0))
    np.testing.assert_allclose(
        [comparison.p for comparison in result], np.minimum(1, 2 * (one_side + 1) / 61)
    )
    assert result[0] == bootstrap_difference(a, b, "auc", "b", n_resamples=60, seed=4)
    assert (result[0].n, result[0].unit) == (len(set(a.lesion_id)), "lesions")


def _by_sklearn(p: Predictions, images: np.ndarray) -> np.ndarray:
    truth, scores = p.label[images], p.scores[images]
    predicted = np.array(p.classes)[scores.argmax(axis=1)]
    return np.array(
        [
            roc_auc_score(truth == "b", scores[:, 1]),
            f1_score(truth, predicted, average="macro"),
            balanced_accuracy_score(truth, predicted),
        ]
    )


def test_stratified_resamples_keep_the_class_sizes() -> None:
    a, _ = two()
    weights = np.concatenate(
        list(cluster_bootstrap_weights(a.lesion_id, n_resamples=30, seed=1, strata=a.label))
    )
    _, first = np.unique(a.lesion_id, return_index=True)
    for name in THREE:
        lesions = first[a.label[first] == name]
        np.testing.assert_array_equal(weights[:, lesions].sum(axis=1), len(lesions))
    unstratified = np.concatenate(list(cluster_bootstrap_weights(a.lesion_id, n_resamples=30, seed=1)))
    assert len(set(unstratified[:, first[a.label[first] == "a"]].sum(axis=1))) > 3


def test_bootstrap_interval_of_single_images_is_near_delong() -> None:
    """Both estimate the same standard error, for 300 lesions of one image each."""
    a, b = two(300, classes=("other", "melanoma"))
    a, b = (replace(model, lesion_id=model.image_id) for model in (a, b))
    boot = bootstrap_difference(a, b, "auc", "melanoma", n_resamples=1000)
    exact = delong(a.label == "melanoma", a.scores[:, 1], b.scores[:, 1])
    assert boot.difference == pytest.approx(exact.difference, abs=1e-12)
    assert boot.high - boot.low == pytest.approx(exact.high - exact.low, rel=0.12)


def test_equal_models_have_no_p() -> None:
    a, _ = two()
    result = bootstrap_difference(a, a, "average_precision", "a", n_resamples=20)
    assert result.difference == 0
    assert all(map(math.isnan, (result.low, result.high, result.p)))
    assert result.reason == "the same in (nearly) every resample"
    result = permutation_test(a, a, "accuracy", OVERALL, n_permutations=20)
    assert (math.isnan(result.p), result.reason) == (True, "the same in every permutation")


def test_difference_without_defined_resamples_has_no_p() -> None:
    result = bootstrap_result(0.1, np.full(9, np.nan), 5)
    assert all(map(math.isnan, (result.low, result.high, result.p)))
    # of the four defined values one is below zero: 2 (1 + 1) / (4 + 1)
    assert bootstrap_result(0.1, np.array([0.2, np.nan, -0.1, 0.3, 0.1]), 5).p == pytest.approx(0.8)


def test_permutation_test_of_a_hand_computed_case() -> None:
    """Three lesions, one with two images: two of the eight swaps are as extreme as the observed one, so p ≈ 2/8."""
    truth = np.array(["y", "y", "x", "x"])
    right = np.array([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    lesions = np.array(["l", "l", "m", "n"])
    images = np.array(["1", "2", "3", "4"])
    a = Predictions(images, lesions, truth, right, ("x", "y"))
    b = replace(a, scores=1 - right)
    result = permutation_test(a, b, "accuracy", OVERALL, n_permutations=200, seed=1)
    assert (result.difference, result.n) == (1, 3)
    # four standard errors of a proportion over 200 permutations
    assert result.p == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 200))
    assert result == permutation_test(a, b, "accuracy", OVERALL, n_permutations=200, seed=1)
    one_sided = permutation_test(a, b, "accuracy", OVERALL, n_permutations=200, seed=1, alternative="greater")
    assert one_sided.p == pytest.approx(0.125, abs=4 * math.sqrt(0.125 * 0.875 / 200))
    assert one_sided.p < result.p


def test_mcnemar_is_a_binomial_test_of_discordant_images() -> None:
    correct_a = np.repeat([1, 1, 0, 0], [60, 15, 6, 19])
    correct_b = np.repeat([1, 0, 1, 0], [60, 15, 6, 19])
    result = mcnemar(correct_a, correct_b)
    assert result.p == pytest.approx(stats.binomtest(15, 21).pvalue, rel=1e-9)
    assert (result.difference, result.statistic, result.n) == (pytest.approx(0.09), 15, 100)
    # Wald's interval of paired proportions, √(21 - 81 / 100) / 100
    assert result.high - result.low == pytest.approx(2 * 1.959964 * math.sqrt(20.19) / 100, rel=1e-6)
    corrected = mcnemar(correct_a, correct_b, exact=False)
    assert corrected.statistic == pytest.approx(64 / 21)  # (9 - 1)² / 21
    assert corrected.p == pytest.approx(2 * stats.norm.sf(8 / math.sqrt(21)), rel=1e-9)
    for exact in (True, False):
        result = mcnemar(correct_a, correct_a, exact=exact)
        assert (result.difference, result.reason) == (0, "no image is correct in one model only")
        assert all(map(math.isnan, (result.low, result.high, result.p)))
    opposite = mcnemar(np.ones(8), np.zeros(8))
    assert opposite.p == pytest.approx(2 / 2**8)
    assert (math.isnan(opposite.low), opposite.reason) == (True, "the difference does not vary")


def test_align_reorders_images_and_classes() -> None:
    a, b = two(30)
    back = np.arange(29, -1, -1)
    renamed = Predictions(
        np.array([f"photos/{name}.jpg" for name in b.image_id[back]]),
        np.full(30, ""),
        np.full(30, ""),
        b.scores[back][:, [2, 0, 1]],
        ("c", "a", "b"),
    )
    first, second = align([a, renamed], ["A", "B"]).predictions
    for name in ("image_id", "label", "lesion_id", "scores"):
        np.testing.assert_array_equal(getattr(second, name), getattr(b, name))
        np.testing.assert_array_equal(getattr(first, name), getattr(a, name))


def test_align_intersects_images_with_a_caveat() -> None:
    a, b = two(30)
    subset = b.select(np.arange(5, 30))
    with pytest.raises(ComparisonError, match=r"30 in total: B lacks 5 \(ISIC_0000000.*--common-images"):
        align([a, subset], ["A", "B"])
    result = align([a, subset], ["A", "B"], intersect=True)
    assert [len(predictions) for predictions in result.predictions] == [25, 25]
    assert result.caveats == ("Compared on the 25 images that all files have, of 30.",)


def test_align_excludes_unlabeled_images_with_a_caveat() -> None:
    a, b = two(30)
    label = np.where(np.arange(30) < 4, "", a.label)
    result = align([replace(a, label=label), replace(b, label=label)], ["A", "B"])
    assert len(result.predictions[0]) == 26
    assert result.caveats == ("4 of 30 images have no label and are excluded.",)


def _blank(p: Predictions) -> Predictions:
    return replace(p, label=np.full(len(p), ""))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: replace(b, image_id=np.char.add("x", b.image_id)), "no image in common"),
        (lambda b: replace(b, label=b.label[::-1]), "B has other labels than the files before it for"),
        (lambda b: replace(b, lesion_id=b.lesion_id[::-1]), "B has other lesions"),
        (
            lambda b: replace(b, classes=("a", "b", "d"), label=np.full(30, "")),
            "has the classes a, b, d and the first",
        ),
    ],
)
def test_align_rejects_contradictory_models(change: object, message: str) -> None:
    a, b = two(30)
    with pytest.raises(ComparisonError, match=message):
        align([a, change(b)], ["A", "B"])  # type: ignore[operator]


def test_invalid_comparisons_raise() -> None:
    a, b = two(30)
    with pytest.raises(ComparisonError, match="no image has a label"):
        align([_blank(a), _blank(b)], ["A", "B"])
    with pytest.raises(ComparisonError, match="1 model: two or more"):
        align([a], ["A"])
    with pytest.raises(ComparisonError, match="same order; use align"):
        bootstrap_difference(a, b.select(np.arange(29, -1, -1)), "auc", "a")
    with pytest.raises(ComparisonError, match="unknown metric 'acu': did you mean 'auc'"):
        bootstrap_difference(a, b, "acu", "a")
    with pytest.raises(ComparisonError, match="unknown auc of 'all'"):
        bootstrap_difference(a, b, "auc", OVERALL)
    with pytest.raises(ComparisonError, match="n_resamples=0"):
        bootstrap_difference(a, b, "auc", "a", n_resamples=0)
    with pytest.raises(ComparisonError, match="permutations=0"):
        permutation_test(a, b, "auc", "a", n_permutations=0)
    with pytest.raises(ComparisonError, match="confidence=95: it must be between 0 and 1"):
        bootstrap_difference(a, b, "auc", "a", confidence=95)
    with pytest.raises(ComparisonError, match=r"true and false.*such as \['nevus'"):
        mcnemar(np.array(["nevus", "melanoma"]), np.array([True, False]))
    with pytest.raises(ComparisonError, match="one value for each of the same images"):
        mcnemar([True], [True, False])  # type: ignore[arg-type]


@pytest.mark.slow
def test_bootstrap_coverage_is_nominal_where_delongs_is_not() -> None:
    """Two equally good models on 100 lesions of four images with equal scores: DeLong counts 400 images."""
    covered = {"bootstrap": 0, "DeLong": 0}
    for trial in range(200):
        rng = np.random.default_rng(trial)
        lesions = np.repeat(np.arange(100), 4)
        sick = rng.random(100) < 0.4
        scores_a, scores_b = (1 / (1 + np.exp(-(rng.normal(size=100) + sick)))[lesions] for _ in range(2))
        ids, names = np.arange(400).astype(str), lesions.astype(str)
        label = np.where(sick, "y", "x")[lesions]
        a, b = (
            Predictions(ids, names, label, np.stack([1 - s, s], 1), ("x", "y")) for s in (scores_a, scores_b)
        )
        for result in (
            bootstrap_difference(a, b, "auc", "y", n_resamples=300, seed=trial),
            delong(label == "y", scores_a, scores_b),
        ):
            covered[result.test] += result.low <= 0 <= result.high
    # of 200 trials at 95 %, 190 are expected, with a standard deviation of 3.1
    assert covered["bootstrap"] >= 179
    assert covered["DeLong"] < 165
