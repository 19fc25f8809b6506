"""Temperature and vector scaling against scikit-learn, scipy and cases with a known answer."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from lesionlens.uncertainty.scaling import (
    MIN_TEMPERATURE,
    bootstrap_temperatures,
    fit_temperature,
    fit_vector_scaling,
)


def draw(
    n: int, *, temperature: float, k: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log scores that are too confident by a factor, one-hot targets and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    labels = np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])
    return log_softmax(logits * temperature, axis=1), np.eye(k)[labels], labels


def test_temperature_recovers_the_factor() -> None:
    log_scores, targets, _ = draw(20_000, temperature=2.5)
    assert fit_temperature(log_scores, targets, independent=False) == pytest.approx(2.5, rel=0.05)


def test_temperature_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3))
    y = (x + rng.normal(size=x.shape)).argmax(axis=1)
    model = LogisticRegression(C=1e6).fit(x[:60], y[:60])
    reference = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(x[60:], y[60:])
    log_scores = log_softmax(model.decision_function(x[60:]), axis=1)
    temperature = fit_temperature(log_scores, np.eye(3)[y[60:]], independent=False)
    ours = softmax(log_scores / temperature, axis=1)
    np.testing.assert_allclose(ours, reference.predict_proba(x[60:]), atol=1e-3)


def test_temperature_of_independent_scores_minimizes_log_loss() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(500, 2)) * 3
    targets = (rng.random(logits.shape) < expit(logits / 1.7)).astype(float)

    def loss(temperature: float) -> float:
        return float(np.logaddexp(0, (1 - 2 * targets) * logits / temperature).sum())

    expected = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-8}).x
    assert fit_temperature(logits, targets, independent=True) == pytest.approx(expected, rel=1e-5)


def test_weights_equal_repeated_images() -> None:
    log_scores, targets, _ = draw(60, temperature=2)
    weights = np.random.default_rng(3).integers(0, 3, size=(4, 60)).astype(float)
    fitted = fit_temperature(log_scores, targets, weights, independent=False)
    for row, temperature in zip(weights.astype(int), fitted, strict=True):
        repeated = np.repeat(np.arange(60), row)
        alone = fit_temperature(log_scores[repeated], targets[repeated], independent=False)
        assert temperature == pytest.approx(float(alone), rel=1e-6)


def test_perfect_separation_ends_at_the_lower_limit() -> None:
    targets = np.eye(3)[[0, 1, 2, 0]]
    log_scores = log_softmax(targets * 2, axis=1)
    assert fit_temperature(log_scores, targets, independent=False) == pytest.approx(MIN_TEMPERATURE, rel=0.01)


def test_bootstrap_resamples_lesions() -> None:
    log_scores, targets, _ = draw(80, temperature=2)
    single = np.arange(80).astype(str)
    pairs = np.repeat(np.arange(40), 2).astype(str)
    doubled = np.repeat(np.arange(40), 2)
    options = {"independent": False, "n_resamples": 200, "seed": 0}
    wide = bootstrap_temperatures(log_scores[doubled], targets[doubled], pairs, **options)  # type: ignore[arg-type]
    narrow = bootstrap_temperatures(log_scores[doubled], targets[doubled], single, **options)  # type: ignore[arg-type]
    assert wide.std() > 1.2 * narrow.std()  # copies of an image carry no information


def test_vector_scaling_corrects_each_class() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(20_000, 3)) * 2
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    distorted = log_softmax(logits, axis=1) * [2, 1, 0.5] + [1, 0, -1]
    scaling = fit_vector_scaling(distorted, np.eye(3)[labels], independent=False)
    calibrated = softmax(scaling.apply(distorted), axis=1)
    np.testing.assert_allclose(calibrated, softmax(logits, axis=1), atol=0.03)
