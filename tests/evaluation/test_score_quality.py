"""Quality of scores as probabilities against scikit-learn, hand loops and cases with a known answer."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics
from sklearn.calibration import calibration_curve

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.score_bins import BinnedEvents, equal_mass_bins
from lesionlens.evaluation.score_quality import (
    ScoredImages,
    area_under_risk_coverage,
    brier_score,
    classwise_calibration_error,
    expected_calibration_error,
    log_loss,
    set_coverage,
    set_size,
)

RNG = np.random.default_rng(0)
SCORES = RNG.dirichlet([0.6] * 3, size=400)
LABELS = np.array([RNG.choice(3, p=0.5 * row + 0.5 / 3) for row in SCORES])
POSITIVE = np.eye(3, dtype=bool)[LABELS]
IMAGES = ScoredImages(SCORES, POSITIVE, [0, 1, 2])


def test_brier_score_and_log_loss_equal_scikit_learn() -> None:
    assert log_loss(IMAGES) == pytest.approx(sklearn.metrics.log_loss(LABELS, SCORES))
    expected = sklearn.metrics.brier_score_loss(LABELS, SCORES, labels=[0, 1, 2], scale_by_half=False)
    assert brier_score(IMAGES) == pytest.approx(expected)


def test_bins_equal_those_of_scikit_learn() -> None:
    confidence, correct = SCORES[:, 0], LABELS == 0
    rate, mean = calibration_curve(correct, confidence, n_bins=10, strategy="quantile")
    bins = equal_mass_bins(confidence, 10)
    assert np.bincount(bins).tolist() == [40] * 10
    np.testing.assert_allclose([correct[bins == b].mean() for b in range(10)], rate)
    np.testing.assert_allclose([confidence[bins == b].mean() for b in range(10)], mean)


def test_calibration_error_is_debiased_as_by_simulation() -> None:
    confidence, correct = SCORES.max(axis=1), SCORES.argmax(axis=1) == LABELS
    bins, rng, expected = equal_mass_bins(confidence, 15), np.random.default_rng(1), 0.0
    for b in range(15):
        rate, mean, n = correct[bins == b].mean(), confidence[bins == b].mean(), (bins == b).sum()
        gap = abs(rate - mean)
        noisy = np.abs(rate + rng.normal(0, np.sqrt(rate * (1 - rate) / n), 200_000) - mean).mean()
        expected += n / 400 * (gap - (noisy - gap))
    assert expected_calibration_error(IMAGES) == pytest.approx(expected, abs=1e-3)


def test_debiased_error_of_calibrated_scores_is_near_zero() -> None:
    rng = np.random.default_rng(2)
    plain, debiased = [], []
    for _ in range(50):
        score = rng.random(300)
        outcome = rng.random(300) < score
        bins = equal_mass_bins(score, 15)
        gaps = [abs(outcome[bins == b].mean() - score[bins == b].mean()) for b in range(15)]
        plain.append(np.mean(gaps))
        debiased.append(BinnedEvents(score[:, None], outcome[:, None]).calibration_error()[0])
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_weights_equal_repeated_images() -> None:
    weights = np.random.default_rng(3).integers(0, 3, size=(3, 400))
    sets = SCORES > 0.3
    images = replace(IMAGES, sets=sets)
    for metric in (brier_score, log_loss, area_under_risk_coverage, set_coverage, set_size):
        for row, value in zip(weights, metric(images, weights), strict=True):
            rows = np.repeat(np.arange(400), row)
            repeated = ScoredImages(SCORES[rows], POSITIVE[rows], [0, 1, 2], sets[rows])
            assert value == pytest.approx(float(metric(repeated)))
    bins = equal_mass_bins(SCORES.max(axis=1), 15)
    assert expected_calibration_error(images, weights).shape == (3,)
    assert len(np.unique(bins)) == 15


def test_area_under_risk_coverage_is_the_mean_selective_risk() -> None:
    order = np.argsort(-SCORES.max(axis=1))
    wrong = (SCORES.argmax(axis=1) != LABELS)[order]
    risks = [wrong[: n + 1].mean() for n in range(400)]
    assert area_under_risk_coverage(IMAGES) == pytest.approx(np.mean(risks))
    equal = ScoredImages(np.full((4, 2), 0.5), np.eye(2, dtype=bool)[[0, 0, 1, 1]], [0, 1])
    assert area_under_risk_coverage(equal) == 0.5  # all accepted together


def test_independent_scores_count_each_class() -> None:
    p = multilabel_predictions(
        list("abc"), [""] * 3, ["melanoma", "other", "nevus"], [[0.9, 0.2], [0.1, 0.3], [0.2, 0.8]],
        ("melanoma", "nevus"),
    )  # fmt: skip
    assert p.has_independent_scores
    assert p.scored_columns == [1, 2]
    result = evaluate(p, n_resamples=0)
    y = np.array([[1, 0], [0, 0], [0, 1]])
    s = p.scores[:, 1:]
    losses = [sklearn.metrics.log_loss(y[:, k], s[:, k], labels=[0, 1]) for k in range(2)]
    assert result.value("log_loss", OVERALL) == pytest.approx(sum(losses))
    assert result.value("brier", OVERALL) == pytest.approx(((s - y) ** 2).sum(axis=1).mean())


def test_score_of_zero_has_a_finite_log_loss() -> None:
    wrong = ScoredImages(np.array([[1.0, 0.0]]), np.array([[False, True]]), [0, 1])
    assert log_loss(wrong) == pytest.approx(-np.log(1e-12), rel=1e-6)


def test_calibrated_fields_have_metrics_of_their_own() -> None:
    ids = np.arange(400).astype(str)
    classes = ("a", "b", "c")
    plain = Predictions(ids, ids, np.array(classes)[LABELS], SCORES, classes)
    names = {estimate.metric for estimate in evaluate(plain, n_resamples=0).estimates}
    assert not {name for name in names if METRICS[name].field}
    sets = SCORES > 0.2
    calibrated = Predictions(
        ids, ids, plain.label, SCORES, classes,
        calibrated_scores=0.5 * SCORES + 0.5 / 3, prediction_sets=sets,
    )  # fmt: skip
    result = evaluate(calibrated, n_resamples=100)
    assert result.value("calibrated_ece", OVERALL) < result.value("ece", OVERALL)
    assert result.value("set_coverage", OVERALL) == pytest.approx(sets[np.arange(400), LABELS].mean())
    assert result.value("set_size", OVERALL) == pytest.approx(sets.sum(axis=1).mean())
    low, high = result.estimate("log_loss", OVERALL).low, result.estimate("log_loss", OVERALL).high
    assert low < sklearn.metrics.log_loss(LABELS, SCORES) < high
    assert classwise_calibration_error(IMAGES) == pytest.approx(result.value("classwise_ece", OVERALL))
