"""Two models on the same images: over lesions drawn for both at once, over swapped scores, over decisions."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights
from lesionlens.evaluation.comparison import delong
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.comparison.bootstrap import (
    bootstrap_difference,
    bootstrap_differences,
    bootstrap_result,
    permutation_test,
)
from lesionlens.evaluation.comparison.tests import mcnemar
from lesionlens.evaluation.predictions import Predictions

from ...helpers.random_predictions import random_predictions

THREE = ("a", "b", "c")


def two(n: int = 90, *, seed: int = 0, classes: tuple[str, ...] = THREE) -> tuple[Predictions, Predictions]:
    """Two models of the same images, the second with noise of its own; all images of a lesion are of one class."""
    a = random_predictions(n, classes=classes, seed=seed)
    first = dict(zip(a.lesion_id, a.label, strict=True))
    label = np.array([first[lesion] for lesion in a.lesion_id])
    noise = np.random.default_rng(seed + 100).random(a.scores.shape)
    return replace(a, label=label), replace(a, label=label, scores=np.round((a.scores + noise) / 2, 2))


def test_the_bootstrap_is_a_plain_loop_over_the_same_draws_for_both() -> None:
    a, b = two()
    keys = [("auc", "b"), ("f1", "macro"), ("balanced_accuracy", "all")]
    weights = np.concatenate(
        list(cluster_bootstrap_weights(a.lesion_id, n_resamples=60, seed=4, strata=a.label))
    )
    loop = []
    for counts in weights.astype(int):
        images = np.repeat(np.arange(len(a)), counts)
        loop.append(np.subtract(*(_by_sklearn(each, images) for each in (a, b))))
    found = bootstrap_differences(a, b, keys, n_resamples=60, seed=4)
    point = np.subtract(*(_by_sklearn(each, np.arange(len(a))) for each in (a, b)))
    np.testing.assert_allclose([each.difference for each in found], point, atol=1e-12)
    low, high = np.quantile(loop, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(
        [(each.low, each.high) for each in found], np.transpose([low, high]), atol=1e-12
    )
    one_side = np.minimum(np.sum(np.array(loop) <= 1e-12, axis=0), np.sum(np.array(loop) >= -1e-12, axis=0))
    np.testing.assert_allclose([each.p for each in found], np.minimum(1, 2 * (one_side + 1) / 61))
    assert found[0] == bootstrap_difference(a, b, "auc", "b", n_resamples=60, seed=4)
    assert (found[0].n, found[0].unit) == (len(set(a.lesion_id)), "lesions")


def _by_sklearn(p: Predictions, images: np.ndarray) -> np.ndarray:
    truth, scores = p.label[images], p.scores[images]
    decided = np.array(p.classes)[scores.argmax(axis=1)]
    return np.array(
        [
            roc_auc_score(truth == "b", scores[:, 1]),
            f1_score(truth, decided, average="macro"),
            balanced_accuracy_score(truth, decided),
        ]
    )


def test_strata_keep_the_lesions_of_each_class() -> None:
    a, _ = two()
    weights = np.concatenate(
        list(cluster_bootstrap_weights(a.lesion_id, n_resamples=30, seed=1, strata=a.label))
    )
    _, first = np.unique(a.lesion_id, return_index=True)
    for name in THREE:
        own = first[a.label[first] == name]
        np.testing.assert_array_equal(weights[:, own].sum(axis=1), len(own))
    freely = np.concatenate(list(cluster_bootstrap_weights(a.lesion_id, n_resamples=30, seed=1)))
    assert len(set(freely[:, first[a.label[first] == "a"]].sum(axis=1))) > 3


def test_the_interval_over_single_images_is_about_that_of_delong() -> None:
    """Two ways to the same standard error, on 300 lesions of one image each."""
    a, b = two(300, classes=("other", "melanoma"))
    a, b = (replace(each, lesion_id=each.image_id) for each in (a, b))
    boot = bootstrap_difference(a, b, "auc", "melanoma", n_resamples=1000)
    exact = delong(a.label == "melanoma", a.scores[:, 1], b.scores[:, 1])
    assert boot.difference == pytest.approx(exact.difference, abs=1e-12)
    assert boot.high - boot.low == pytest.approx(exact.high - exact.low, rel=0.12)


def test_a_model_does_not_differ_from_itself() -> None:
    a, _ = two()
    found = bootstrap_difference(a, a, "average_precision", "a", n_resamples=20)
    assert found[:3] == (0, 0, 0)
    assert found.p == 1
    assert permutation_test(a, a, "accuracy", "all", n_permutations=20).p == 1


def test_a_difference_that_no_replicate_defines_has_no_p() -> None:
    found = bootstrap_result(0.1, np.full(9, np.nan), 5)
    assert all(map(math.isnan, (found.low, found.high, found.p)))
    # by hand: of the four that are defined one is below zero, so 2 (1 + 1) / (4 + 1)
    assert bootstrap_result(0.1, np.array([0.2, np.nan, -0.1, 0.3, 0.1]), 5).p == pytest.approx(0.8)


def test_swaps_of_lesions_are_gone_through_by_hand() -> None:
    """Three lesions, one of two images: of the eight swaps two are as far apart as what is seen, so p nears 2/8."""
    truth = np.array(["y", "y", "x", "x"])
    right = np.array([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    lesions = np.array(["l", "l", "m", "n"])
    images = np.array(["1", "2", "3", "4"])
    a = Predictions(images, lesions, truth, right, ("x", "y"))
    b = replace(a, scores=1 - right)
    found = permutation_test(a, b, "accuracy", "all", n_permutations=200, seed=1)
    assert (found.difference, found.n) == (1, 3)
    # four standard errors of a share over 200 draws
    assert found.p == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 200))
    assert found == permutation_test(a, b, "accuracy", "all", n_permutations=200, seed=1)
    one_sided = permutation_test(a, b, "accuracy", "all", n_permutations=200, seed=1, alternative="greater")
    assert one_sided.p == pytest.approx(0.125, abs=4 * math.sqrt(0.125 * 0.875 / 200))
    assert one_sided.p < found.p


def test_mcnemar_is_the_binomial_test_of_the_images_in_dispute() -> None:
    right_a = np.repeat([1, 1, 0, 0], [60, 15, 6, 19])
    right_b = np.repeat([1, 0, 1, 0], [60, 15, 6, 19])
    found = mcnemar(right_a, right_b)
    assert found.p == pytest.approx(stats.binomtest(15, 21).pvalue, rel=1e-9)
    assert (found.difference, found.statistic, found.n) == (pytest.approx(0.09), 15, 100)
    # by hand: Wald's interval of paired shares, √(21 - 81 / 100) / 100
    assert found.high - found.low == pytest.approx(2 * 1.959964 * math.sqrt(20.19) / 100, rel=1e-6)
    corrected = mcnemar(right_a, right_b, exact=False)
    assert corrected.statistic == pytest.approx(64 / 21)  # (9 - 1)² / 21
    assert corrected.p == pytest.approx(2 * stats.norm.sf(8 / math.sqrt(21)), rel=1e-9)
    for exact in (True, False):
        assert mcnemar(right_a, right_a, exact=exact).p == 1


def test_files_in_another_order_and_spelling_are_brought_together() -> None:
    a, b = two(30)
    back = np.arange(29, -1, -1)
    turned = Predictions(
        np.array([f"photos/{name}.jpg" for name in b.image_id[back]]),
        np.full(30, ""),
        np.full(30, ""),
        b.scores[back][:, [2, 0, 1]],
        ("c", "a", "b"),
    )
    first, second = align([a, turned], ["A", "B"]).predictions
    for name in ("image_id", "label", "lesion_id", "scores"):
        np.testing.assert_array_equal(getattr(second, name), getattr(b, name))
        np.testing.assert_array_equal(getattr(first, name), getattr(a, name))


def test_only_common_images_are_compared_if_asked_and_said_so() -> None:
    a, b = two(30)
    few = b.select(np.arange(5, 30))
    with pytest.raises(ComparisonError, match=r"30 in all: B lacks 5 \(ISIC_0000000.*--common-images"):
        align([a, few], ["A", "B"])
    found = align([a, few], ["A", "B"], intersect=True)
    assert [len(each) for each in found.predictions] == [25, 25]
    assert found.caveats == ("Compared on the 25 images that all have, of 30.",)


def test_images_without_a_label_are_left_out_and_counted() -> None:
    a, b = two(30)
    label = np.where(np.arange(30) < 4, "", a.label)
    found = align([replace(a, label=label), replace(b, label=label)], ["A", "B"])
    assert len(found.predictions[0]) == 26
    assert found.caveats == ("4 of 30 images have no label and are left out.",)


def _blank(p: Predictions) -> Predictions:
    return replace(p, label=np.full(len(p), ""))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: replace(b, image_id=np.char.add("x", b.image_id)), "no image in common"),
        (lambda b: replace(b, label=b.label[::-1]), "B gives other labels than the files before it for"),
        (lambda b: replace(b, lesion_id=b.lesion_id[::-1]), "B gives other lesions"),
        (
            lambda b: replace(b, classes=("a", "b", "d"), label=np.full(30, "")),
            "has the classes a, b, d and the first",
        ),
    ],
)
def test_models_of_different_things_are_refused(change: object, message: str) -> None:
    a, b = two(30)
    with pytest.raises(ComparisonError, match=message):
        align([a, change(b)], ["A", "B"])  # type: ignore[operator]


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = two(30)
    with pytest.raises(ComparisonError, match="no image has a label"):
        align([_blank(a), _blank(b)], ["A", "B"])
    with pytest.raises(ComparisonError, match="1 models"):
        align([a], ["A"])
    with pytest.raises(ComparisonError, match="same order: bring them"):
        bootstrap_difference(a, b.select(np.arange(29, -1, -1)), "auc", "a")
    with pytest.raises(ComparisonError, match="unknown metric 'acu': did you mean 'auc'"):
        bootstrap_difference(a, b, "acu", "a")
    with pytest.raises(ComparisonError, match="unknown auc of 'all'"):
        bootstrap_difference(a, b, "auc", "all")
    with pytest.raises(ComparisonError, match="n_resamples=0"):
        bootstrap_difference(a, b, "auc", "a", n_resamples=0)
    with pytest.raises(ComparisonError, match="permutations=0"):
        permutation_test(a, b, "auc", "a", n_permutations=0)
    with pytest.raises(ComparisonError, match="confidence=95: a number between 0 and 1"):
        bootstrap_difference(a, b, "auc", "a", confidence=95)
    with pytest.raises(ComparisonError, match=r"true or false.*such as \['nevus'"):
        mcnemar(np.array(["nevus", "melanoma"]), np.array([True, False]))
    with pytest.raises(ComparisonError, match="right or wrong of the same images"):
        mcnemar([True], [True, False])  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_over_lesions_hold_no_difference_where_delong_s_do_not() -> None:
    """Two models equally good on 100 lesions of four images with the same scores: DeLong counts 400 images."""
    held = {"bootstrap": 0, "DeLong": 0}
    for trial in range(200):
        rng = np.random.default_rng(trial)
        lesions = np.repeat(np.arange(100), 4)
        sick = rng.random(100) < 0.4
        one, other = (1 / (1 + np.exp(-(rng.normal(size=100) + sick)))[lesions] for _ in range(2))
        ids, names = np.arange(400).astype(str), lesions.astype(str)
        label = np.where(sick, "y", "x")[lesions]
        a, b = (Predictions(ids, names, label, np.stack([1 - s, s], 1), ("x", "y")) for s in (one, other))
        for found in (
            bootstrap_difference(a, b, "auc", "y", n_resamples=300, seed=trial),
            delong(label == "y", one, other),
        ):
            held[found.test] += found.low <= 0 <= found.high
    # of 200 trials at 95 %, 190 are expected, with a standard deviation of 3.1
    assert held["bootstrap"] >= 179
    assert held["DeLong"] < 165
