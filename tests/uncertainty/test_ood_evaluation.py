"""Separation of known and unknown images: equal to scikit-learn, resampled by lesion, bad input."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from lesionlens.core.errors import DataError
from lesionlens.uncertainty.ood_evaluation import evaluate_separation


@pytest.mark.parametrize("decimals", [8, 0])  # 0: ties
def test_separation_equals_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.normal(size=80).round(decimals), rng.normal(1, 2, 37).round(decimals)
    result = evaluate_separation(known, unknown, np.arange(80), n_resamples=200)
    truth, scores = np.r_[np.zeros(80), np.ones(37)], np.r_[known, unknown]
    assert result.auroc == pytest.approx(roc_auc_score(truth, scores))
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert result.false_positive_rate == pytest.approx(fpr[np.argmax(tpr >= 0.95)])
    assert result.auroc_interval.low < result.auroc < result.auroc_interval.high
    assert result.false_positive_interval.low <= result.false_positive_rate


def test_images_of_a_lesion_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(1)
    known, unknown = rng.normal(size=30), rng.normal(1, 1, 400)
    once = evaluate_separation(known, unknown, np.arange(30), n_resamples=400).auroc_interval
    lesions = np.repeat(np.arange(30), 5)
    copied = evaluate_separation(np.repeat(known, 5), unknown, lesions, n_resamples=400).auroc_interval
    assert (copied.high - copied.low) == pytest.approx(once.high - once.low, rel=1e-6)


def test_perfect_separation_and_equal_scores() -> None:
    perfect = evaluate_separation([0, 1, 2], [3, 4], [0, 1, 2], n_resamples=50)
    assert (perfect.auroc, perfect.false_positive_rate) == (1, 0)
    assert np.isnan(perfect.auroc_interval.low)  # of width zero
    equal = evaluate_separation([1, 1], [1, 1, 1], [0, 1], n_resamples=50)
    assert (equal.auroc, equal.false_positive_rate) == (0.5, 1)


@pytest.mark.parametrize(
    ("known", "unknown", "lesions", "message"),
    [
        ([], [1.0], [], "0 known and 1 unknown"),
        ([1.0], [], [0], "1 known and 0 unknown"),
        ([1.0, np.nan], [1.0], [0, 1], "finite numbers"),
        ([1.0, 2.0], [1.0], [0], "2 known images and 1 lesions"),
    ],
)
def test_bad_scores_are_rejected(
    known: list[float], unknown: list[float], lesions: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_separation(known, unknown, lesions)


def test_without_resamples_there_are_no_intervals() -> None:
    separation = evaluate_separation([0.1, 0.2], [0.3, 0.4], ["a", "b"], n_resamples=0)
    assert separation.auroc == 1
    assert np.isnan(separation.auroc_interval.low)
