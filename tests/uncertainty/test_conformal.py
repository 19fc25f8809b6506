"""Prediction sets against MAPIE and crepes, and their coverage on random draws."""

import numpy as np
import pytest
from crepes import ConformalClassifier
from mapie.classification import SplitConformalClassifier
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin

from lesionlens.uncertainty.conformal import (
    conformal_quantile,
    min_images,
    one_image_per_lesion,
    prediction_sets,
)


class Probabilities(ClassifierMixin, BaseEstimator):
    """Classifier whose input is its output, so that a library can be given probabilities."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Probabilities":
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(axis=1)


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([0.6] * 4, size=n)
    labels = np.array([rng.choice(4, p=0.7 * row + 0.3 / 4) for row in scores])
    return scores, labels


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_marginal_sets_equal_those_of_mapie(coverage: float) -> None:
    (scores, labels), (new, _) = draw(150, 0), draw(200, 1)
    reference = SplitConformalClassifier(
        Probabilities().fit(scores, labels), confidence_level=coverage, conformity_score="lac", prefit=True
    ).conformalize(scores, labels)
    expected = reference.predict_set(new)[1][:, :, 0]
    quantile = conformal_quantile(1 - scores[np.arange(150), labels], coverage)
    np.testing.assert_array_equal(prediction_sets(new, np.full(4, quantile)), expected)


def test_class_conditional_sets_equal_those_of_crepes() -> None:
    (scores, labels), (new, _) = draw(150, 2), draw(200, 3)
    nonconformity = 1 - scores[np.arange(150), labels]
    reference = ConformalClassifier().fit(nonconformity, bins=labels)
    expected = np.column_stack(  # at 0.87 no p-value equals 0.13, where crepes includes the class
        [
            reference.predict_set((1 - new[:, [k]]), bins=np.full(200, k), confidence=0.87, smoothing=False)[
                :, 0
            ]
            for k in range(4)
        ]
    )
    quantiles = np.array([conformal_quantile(nonconformity[labels == k], 0.87) for k in range(4)])
    np.testing.assert_array_equal(prediction_sets(new, quantiles), expected)


def test_coverage_of_random_draws_is_within_binomial_bounds() -> None:
    covered = 0
    for seed in range(2000):
        scores, labels = draw(20, seed)
        quantile = conformal_quantile(1 - scores[np.arange(19), labels[:19]], 0.9)
        covered += bool(1 - scores[19, labels[19]] <= quantile)
    low, high = binom.interval(0.999, 2000, 0.9)  # exactly 18 of 20 ranks: 0.9
    assert low <= covered <= high


def test_too_few_images_give_every_class() -> None:
    assert [min_images(coverage) for coverage in (0.8, 0.9, 0.95)] == [4, 9, 19]
    assert conformal_quantile(np.zeros(8), 0.9) == np.inf
    assert conformal_quantile(np.arange(9) / 10, 0.9) == 0.8
    assert prediction_sets(np.array([[0.0, 1.0]]), np.full(2, np.inf)).all()


def test_one_image_of_each_lesion_is_chosen() -> None:
    lesions = np.array(list("aabbbc"))
    chosen = [one_image_per_lesion(lesions, seed=seed) for seed in range(20)]
    assert all(lesions[index].tolist() == ["a", "b", "c"] for index in chosen)
    assert {tuple(index) for index in chosen} > {tuple(chosen[0])}
    np.testing.assert_array_equal(chosen[0], one_image_per_lesion(lesions, seed=0))
