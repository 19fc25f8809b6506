"""Reliability, risk–coverage and decision curves, predictive values and intervals of calibration errors."""

import json
from itertools import product

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from lesionlens.core.bootstrap import bias_corrected_interval, percentile_interval
from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictive_values import parse_prevalence
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.score_bins import BinnedEvents
from lesionlens.evaluation.score_curves import (
    ANSWERED_FRACTIONS,
    LARGEST_SCORE,
    PROBABILITY_THRESHOLDS,
    compute_score_curves,
    net_benefits,
    treat_all_benefit,
)
from lesionlens.evaluation.score_plots import SCORE_FIGURES
from lesionlens.evaluation.score_quality import ScoredImages, risk_by_coverage

RNG = np.random.default_rng(0)
SCORES = RNG.dirichlet([0.6] * 3, size=300)
LABELS = np.array([RNG.choice(3, p=0.5 * row + 0.5 / 3) for row in SCORES])
CLASSES = ("melanoma", "seborrheic_keratosis", "nevus")
IDS = np.arange(300).astype(str)
PREDICTIONS = Predictions(
    IDS, IDS, np.array(CLASSES)[LABELS], SCORES, CLASSES,
    calibrated_scores=0.5 * SCORES + 0.5 / 3, prediction_sets=SCORES > 0.2,
)  # fmt: skip
NEW_FIELDS = {"score_curves", "prevalence", "predictive_values"}
RESULT = evaluate(PREDICTIONS, n_resamples=50, prevalence={"MEL": 0.02})


def test_reliability_equals_scikit_learn() -> None:
    assert RESULT.score_curves is not None
    curves = RESULT.score_curves.reliability
    assert list(curves) == [LARGEST_SCORE, *CLASSES]
    for k, name in enumerate(CLASSES):
        rate, mean = calibration_curve(k == LABELS, SCORES[:, k], n_bins=15, strategy="quantile")
        np.testing.assert_allclose(curves[name]["model"].y, rate, atol=1e-5)
        np.testing.assert_allclose(curves[name]["model"].x, mean, atol=1e-5)
    largest = curves[LARGEST_SCORE]["calibrated"]
    assert np.mean(largest.y) == pytest.approx((SCORES.argmax(axis=1) == LABELS).mean(), abs=1e-4)


def test_net_benefit_equals_its_definition() -> None:
    score, positive = np.round(SCORES, 2), np.eye(3, dtype=bool)[LABELS]
    expected = np.zeros((3, len(PROBABILITY_THRESHOLDS)))
    for k, (step, t) in product(range(3), enumerate(PROBABILITY_THRESHOLDS)):
        true = sum(1 for s, y in zip(score[:, k], positive[:, k], strict=True) if s >= t and y)
        false = sum(1 for s, y in zip(score[:, k], positive[:, k], strict=True) if s >= t and not y)
        expected[k, step] = true / 300 - false / 300 * t / (1 - t)
    computed = net_benefits(ScoredImages(score, positive, [0, 1, 2]), PROBABILITY_THRESHOLDS)
    np.testing.assert_allclose(computed, expected, atol=1e-12)


def test_net_benefit_of_one_decision_for_all_images() -> None:
    positive = np.eye(3, dtype=bool)[LABELS]
    everything = net_benefits(ScoredImages(np.ones((300, 3)), positive, [0, 1, 2]), PROBABILITY_THRESHOLDS)
    for k in range(3):
        expected = treat_all_benefit(positive[:, k].mean(), PROBABILITY_THRESHOLDS)
        np.testing.assert_allclose(everything[k], expected, atol=1e-12)
    nothing = net_benefits(ScoredImages(np.zeros((300, 3)), positive, [0, 1, 2]), PROBABILITY_THRESHOLDS)
    np.testing.assert_array_equal(nothing, 0)


def test_risk_is_that_of_the_most_confident_images() -> None:
    images = ScoredImages(SCORES, np.eye(3, dtype=bool)[LABELS], [0, 1, 2])
    wrong = (SCORES.argmax(axis=1) != LABELS)[np.argsort(-SCORES.max(axis=1))]
    expected = [wrong[: round(300 * coverage)].mean() for coverage in ANSWERED_FRACTIONS]
    np.testing.assert_allclose(risk_by_coverage(images, ANSWERED_FRACTIONS), expected)


def test_weighted_curves_equal_repeated_images() -> None:
    weights = np.random.default_rng(1).integers(0, 3, size=(2, 300))
    images = ScoredImages(SCORES, np.eye(3, dtype=bool)[LABELS], [0, 1, 2])
    weighted = compute_score_curves({"model": images}, CLASSES, weights)
    for row, weight in enumerate(weights):
        rows = np.repeat(np.arange(300), weight)
        copies = ScoredImages(SCORES[rows], images.positive[rows], [0, 1, 2])
        repeated = compute_score_curves({"model": copies}, CLASSES)
        for key, values in weighted.items():
            if key[0] != "reliability":  # whose bins are those of the images, not of a resample
                np.testing.assert_allclose(values[row], repeated[key], atol=1e-12, err_msg=str(key))


def test_curves_are_written_and_read() -> None:
    again = EvaluationResult.from_json(RESULT.to_json())
    assert again.score_curves == RESULT.score_curves
    assert again.predictive_values == RESULT.predictive_values
    record = json.loads(RESULT.to_json())
    earlier = EvaluationResult.from_json(
        json.dumps({key: value for key, value in record.items() if key not in NEW_FIELDS})
    )
    assert earlier.score_curves is None
    assert earlier.estimates == RESULT.estimates
    assert set(SCORE_FIGURES) == {"reliability", "risk_coverage", "decision_curve"}


def test_classes_have_coverage_size_and_calibration_error() -> None:
    sets = SCORES > 0.2
    for k, name in enumerate(CLASSES):
        of_class = k == LABELS
        assert RESULT.value("set_coverage", name) == pytest.approx(sets[of_class, k].mean())
        assert RESULT.value("set_size", name) == pytest.approx(sets[of_class].sum(axis=1).mean())
    errors = [RESULT.value("classwise_ece", name) for name in CLASSES]
    assert np.mean(errors) == pytest.approx(RESULT.value("classwise_ece", OVERALL))


def test_predictive_values_follow_from_bayes_theorem() -> None:
    ppv, npv = RESULT.predictive_values
    sensitivity, specificity = (
        RESULT.value("sensitivity", "melanoma"),
        RESULT.value("specificity", "melanoma"),
    )
    sick, healthy = 0.02 * sensitivity, 0.98 * (1 - specificity)
    assert ppv.value == pytest.approx(sick / (sick + healthy))
    assert npv.value == pytest.approx(0.98 * specificity / (0.98 * specificity + 0.02 * (1 - sensitivity)))
    assert ppv.low < ppv.value < ppv.high
    at_own = evaluate(PREDICTIONS, n_resamples=0, prevalence={"melanoma": float((LABELS == 0).mean())})
    assert at_own.predictive_values[0].value == pytest.approx(at_own.value("precision", "melanoma"))


@pytest.mark.parametrize(
    ("prevalence", "message"),
    [
        ({"wart": 0.1}, "class 'wart'"),
        ({"melanoma": 1.5}, r"prevalence of melanoma is 1\.5; it must be between 0 and 1"),
        ({"melanoma": float("nan")}, "is nan; it must be between 0 and 1"),
        ({"": 0.02}, r"a prevalence needs its class .* melanoma:0\.02"),
    ],
)
def test_impossible_prevalences_are_rejected(prevalence: dict[str, float], message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        evaluate(PREDICTIONS, n_resamples=0, prevalence=prevalence)


def test_prevalence_of_two_classes_needs_no_name() -> None:
    result = evaluate(PREDICTIONS, n_resamples=0, task="melanoma", prevalence=parse_prevalence(["0.02"]))
    assert result.prevalence == {"melanoma": 0.02}
    with pytest.raises(PredictionsError, match="the prevalence is 'melanoma=2 %'; allowed is CLASS:NUMBER"):
        parse_prevalence(["melanoma=2 %"])


def test_intervals_of_calibration_errors_contain_the_true_error() -> None:
    """Scores are 1.67 times as far from 0.5 as the frequencies; percentile intervals miss the error more often."""
    rng = np.random.default_rng(0)
    many = rng.beta(2, 1.2, 100_000)
    true_error = np.abs(0.4 * (many - 0.5)).mean()
    corrected, percentile = 0, 0
    for _ in range(100):
        scores = rng.beta(2, 1.2, 150)
        outcomes = rng.random(150) < 0.5 + 0.6 * (scores - 0.5)
        events = BinnedEvents(scores[:, None], outcomes[:, None])
        value = events.calibration_error()[0]
        weights = rng.multinomial(150, np.full(150, 1 / 150), size=200).astype(float)
        resampled = events.calibration_error(weights)[:, 0]
        interval, plain = bias_corrected_interval(value, resampled), percentile_interval(resampled)
        corrected += interval.low <= true_error <= interval.high
        percentile += plain.low <= true_error <= plain.high
        assert interval.low <= value <= interval.high
    assert corrected >= 89  # binomial, 95 %: below 89 in 0.4 % of the experiments
    assert percentile < corrected


def test_empty_bins_of_resamples_do_not_widen_the_band() -> None:
    """With one image per bin that is always correct, a resample without it has no rate; it is not 0."""
    scores = np.column_stack([np.linspace(0.5, 0.99, 12), 1 - np.linspace(0.5, 0.99, 12)])
    ids = np.arange(12).astype(str)
    result = evaluate(Predictions(ids, ids, np.full(12, "a"), scores, ("a", "b")), n_resamples=50)
    assert result.score_curves is not None
    largest = result.score_curves.reliability[LARGEST_SCORE]["model"]
    assert largest.low == largest.high == largest.y == (1.0,) * 12


def test_predictive_values_of_one_lesion_have_no_interval() -> None:
    few = PREDICTIONS.select(np.append(np.flatnonzero(LABELS == 0)[:1], np.flatnonzero(LABELS > 0)))
    ppv, npv = evaluate(few, n_resamples=50, prevalence={"melanoma": 0.02}).predictive_values
    assert np.isnan([ppv.low, npv.low]).all()
    assert "only one lesion" in ppv.caveat
