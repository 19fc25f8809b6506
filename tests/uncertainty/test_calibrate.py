"""Calibrations: fitted, saved, rejected for other weights, and applied; unusual images and degenerate data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError, SavedModelError
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.uncertainty.apply import apply_calibration
from lesionlens.uncertainty.calibrate import CalibrationOptions, fit_calibration
from lesionlens.uncertainty.calibration import (
    ARRAYS_FILE,
    CALIBRATION_FILE,
    FittedCalibration,
    load_calibration,
    save_calibration,
)

CLASSES = ("melanoma", "nevus", "benign_keratosis")
QUICK = CalibrationOptions(n_resamples=50)


def draw(n: int, *, seed: int = 0, sharpness: float = 3, lesions: int | None = None) -> Predictions:
    """Return overconfident predictions of n images."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [CLASSES[rng.choice(3, p=row)] for row in p]
    sharp = p**sharpness
    lesion = [f"l{i % (lesions or n)}" for i in range(n)]
    scores = sharp / sharp.sum(axis=1, keepdims=True)
    return Predictions(np.arange(n).astype(str), np.array(lesion), np.array(labels), scores, CLASSES)


def draw_multilabel(n: int) -> Predictions:
    rng = np.random.default_rng(5)
    scores = rng.beta(0.5, 0.8, size=(n, 2))
    labels = np.array(["other", "melanoma", "nevus"])[rng.integers(0, 3, n)]
    return multilabel_predictions(np.arange(n).astype(str), [""] * n, labels, scores, ("melanoma", "nevus"))


def features(n: int, *, seed: int = 0, offset: float = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    direction = np.random.default_rng(99).normal(size=16)
    return (rng.normal(size=(n, 16)) * 0.3 + direction * (1 if not offset else -1)).astype(np.float32)


def test_calibrated_scores_are_sets_of_the_promised_coverage() -> None:
    fitted = fit_calibration(draw(2000), split="calibration", options=QUICK)
    new = apply_calibration(draw(4000, seed=1), fitted)
    assert fitted.calibration.temperature.value == pytest.approx(3, rel=0.1)
    assert fitted.calibration.temperature.low < 3 < fitted.calibration.temperature.high
    assert new.prediction_sets is not None
    assert new.abstain is not None
    covered = new.prediction_sets[np.arange(4000), new.targets()].mean()
    assert covered == pytest.approx(0.9, abs=0.03)
    np.testing.assert_array_equal(new.abstain, new.prediction_sets.sum(axis=1) != 1)
    np.testing.assert_array_equal(new.scores, draw(4000, seed=1).scores)


def test_class_conditional_sets_cover_every_class() -> None:
    fitted = fit_calibration(draw(3000), split="calibration", options=QUICK)
    new = apply_calibration(draw(6000, seed=1), fitted, class_conditional=True)
    assert new.prediction_sets is not None
    covered = new.prediction_sets[np.arange(6000), new.targets()]
    for k in range(3):
        assert covered[new.targets() == k].mean() == pytest.approx(0.9, abs=0.04)


def test_sets_use_one_image_per_lesion() -> None:
    fitted = fit_calibration(draw(60, lesions=8), split="calibration", options=QUICK)
    assert [np.isinf(rule.quantile) for rule in fitted.calibration.prediction_sets] == [False, True, True]
    assert "8 lesions are fewer than the 9 that it needs" in " ".join(fitted.calibration.caveats)
    assert fitted.calibration.n_lesions == 8


def test_validation_promises_no_coverage() -> None:
    fitted = fit_calibration(draw(100), split="validation", options=QUICK)
    assert fitted.calibration.prediction_sets == ()
    assert "no coverage" in fitted.calibration.caveats[0]
    unselective = fit_calibration(
        draw(100), split="validation", selected_model=False, options=QUICK
    ).calibration
    assert len(unselective.prediction_sets) == 3
    assert unselective.caveats == ()
    new = apply_calibration(draw(10, seed=1), fitted)
    assert new.prediction_sets is None
    assert new.calibrated_scores is not None


def test_independent_scores_are_calibrated_one_by_one() -> None:
    fitted = fit_calibration(draw_multilabel(400), split="calibration", options=QUICK)
    assert fitted.calibration.independent
    new = apply_calibration(draw_multilabel(50), fitted)
    assert new.calibrated_scores is not None
    np.testing.assert_allclose(new.calibrated_scores[:, 0], 1 - new.calibrated_scores[:, 1:].max(axis=1))
    p = new.scores[:, 1:]
    expected = 1 / (1 + ((1 - p) / p) ** (1 / fitted.calibration.temperature.value))
    np.testing.assert_allclose(new.calibrated_scores[:, 1:], expected)


def test_operating_points_reach_their_sensitivity() -> None:
    calibration = fit_calibration(draw(500), split="calibration", options=QUICK).calibration
    points = {(point.class_name, point.rule): point for point in calibration.operating_points}
    assert len(points) == 12
    assert points["melanoma", "sensitivity:0.95"].sensitivity.value >= 0.95
    half = points["nevus", "0.5"]
    scores = apply_calibration(draw(500), FittedCalibration(calibration, None)).calibrated_scores
    assert scores is not None
    predicted, actual = scores[:, 1] >= 0.5, draw(500).label == "nevus"
    assert half.npv.value == pytest.approx((~predicted & ~actual).sum() / (~predicted).sum())
    assert half.ppv.low < half.ppv.value < half.ppv.high
    assert half.n_lesions + half.n_other_lesions == 500


def test_class_without_images_has_no_operating_points() -> None:
    predictions = draw(60).select(draw(60).label != "melanoma")
    calibration = fit_calibration(predictions, split="calibration", options=QUICK).calibration
    assert {point.class_name for point in calibration.operating_points} == {"nevus", "benign_keratosis"}
    assert np.isinf(calibration.prediction_sets[0].class_quantiles["melanoma"])


def test_order_of_classes_does_not_matter() -> None:
    fitted = fit_calibration(
        draw(300), split="calibration", options=CalibrationOptions("vector", n_resamples=10)
    )
    new = draw(20, seed=1)
    reversed_ = Predictions(new.image_id, new.lesion_id, new.label, new.scores[:, ::-1], CLASSES[::-1])
    first, second = (apply_calibration(item, fitted).calibrated_scores for item in (new, reversed_))
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first, second[:, ::-1])


def test_saved_calibration_equals_the_fitted_one(tmp_path: Path) -> None:
    fitted = fit_calibration(draw(120), split="calibration", features=features(120), options=QUICK)
    save_calibration(tmp_path, fitted)
    loaded = load_calibration(tmp_path, weights_sha256="")
    assert loaded is not None
    assert loaded.calibration.model_dump(exclude={"arrays_sha256"}) == fitted.calibration.model_dump(
        exclude={"arrays_sha256"}
    )
    unusual = features(5, seed=1, offset=1)
    new = draw(5, seed=1)
    scores = fitted.detector.scores(unusual)  # type: ignore[union-attr]
    first, second = (apply_calibration(new, item, ood_scores=scores) for item in (fitted, loaded))
    assert first.ood_percentile is not None
    np.testing.assert_array_equal(first.ood_percentile, second.ood_percentile)
    assert first.ood_percentile.min() > 95
    assert first.abstain is not None
    assert first.abstain.all()


def test_other_weights_and_damaged_files_are_rejected(tmp_path: Path) -> None:
    assert load_calibration(tmp_path, weights_sha256="a") is None
    save_calibration(tmp_path, fit_calibration(draw(50), split="file", features=features(50), options=QUICK))
    with pytest.raises(SavedModelError, match="measured with other weights"):
        load_calibration(tmp_path, weights_sha256="a")
    arrays = tmp_path / ARRAYS_FILE
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"?")
    with pytest.raises(SavedModelError, match="differs from its checksum"):
        load_calibration(tmp_path, weights_sha256="")
    (tmp_path / CALIBRATION_FILE).write_text('{"format": 1, "classes": 3}')
    with pytest.raises(SavedModelError, match="is damaged, or another version"):
        load_calibration(tmp_path, weights_sha256="")


def test_equal_scores_have_no_temperature() -> None:
    n = 30
    labels = np.array(CLASSES)[np.arange(n) % 3]
    equal = Predictions(np.arange(n).astype(str), [""] * n, labels, np.full((n, 3), 1 / 3), CLASSES)  # type: ignore[arg-type]
    calibration = fit_calibration(equal, split="calibration", options=QUICK).calibration
    assert calibration.temperature.value == 1
    assert np.isnan(calibration.temperature.low)
    assert "all scores are equal" in " ".join(calibration.caveats)


def test_perfect_separation_is_reported() -> None:
    n = 30
    scores = np.eye(3)[np.arange(n) % 3] * 0.8 + 0.2 / 3
    labels = np.array(CLASSES)[np.arange(n) % 3]
    separated = Predictions(np.arange(n).astype(str), [""] * n, labels, scores, CLASSES)  # type: ignore[arg-type]
    calibration = fit_calibration(separated, split="calibration", options=QUICK).calibration
    assert "every image is classified correctly" in " ".join(calibration.caveats)


def test_one_class_and_other_classes_are_rejected() -> None:
    predictions = draw(20)
    nevi = predictions.select(predictions.label == "nevus")
    with pytest.raises(PredictionsError, match="only images of nevus"):
        fit_calibration(nevi, split="calibration", options=QUICK)
    fitted = fit_calibration(predictions, split="calibration", options=QUICK)
    with pytest.raises(PredictionsError, match="the calibration is for the classes"):
        apply_calibration(draw_multilabel(5), fitted)


def test_independent_scores_need_an_other_class() -> None:
    fitted = fit_calibration(draw_multilabel(100), split="file", options=QUICK)
    new = replace(draw_multilabel(5), other_class="")
    with pytest.raises(PredictionsError, match="the predictions have no other class"):
        apply_calibration(new, fitted)
    single = draw_multilabel(1)
    assert apply_calibration(single, fitted).calibrated_scores is not None


def test_unknown_coverage_is_rejected() -> None:
    fitted = fit_calibration(draw(50), split="calibration", options=QUICK)
    with pytest.raises(SavedModelError, match=r"allowed are 0\.8, 0\.9, 0\.95"):
        apply_calibration(draw(5), fitted, coverage=0.5)
