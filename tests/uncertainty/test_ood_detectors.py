"""Detectors of unknown images: equal to pytorch-ood and to loops; held-out references; bad input."""

from typing import Any

import numpy as np
import pytest
import torch
from pytorch_ood.detector import KNN, Mahalanobis, ViM
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from lesionlens.core.errors import DataError
from lesionlens.uncertainty.ood_detectors import DETECTORS, LinearHead, OODDetector, fit_detector
from lesionlens.uncertainty.ood_methods import MAX_BANK_VALUES, NUM_NEIGHBORS

N, F, CLASSES = 120, 16, 3
LABELS = np.arange(N) % CLASSES
LESIONS = np.arange(N) // 2


def sample_features(n: int = N, *, f: int = F, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spread = np.linspace(2, 0.3, f)
    return (rng.normal(size=(n, f)) * spread + 1.5 * (np.arange(n) % CLASSES)[:, None] + shift).astype(
        np.float32
    )


def sample_head() -> LinearHead:
    rng = np.random.default_rng(9)
    return LinearHead(
        rng.normal(size=(CLASSES, F)).astype(np.float32), rng.normal(size=CLASSES).astype(np.float32)
    )


def input_of(name: str, features: np.ndarray) -> np.ndarray:
    """Return the features, or the scores of the classes for msp."""
    if name != "msp":
        return features
    exponentials = np.exp(features[:, :CLASSES])
    return exponentials / exponentials.sum(axis=1, keepdims=True)


FEATURES, NEW = sample_features(), sample_features(40, seed=1, shift=0.5)


def test_knn_equals_pytorch_ood() -> None:
    detector = fit_detector("knn", FEATURES, np.arange(N))
    reference = KNN(None, k=NUM_NEIGHBORS).fit_features(torch.from_numpy(FEATURES), torch.from_numpy(LABELS))
    expected = reference.predict_features(torch.from_numpy(NEW)).numpy()
    np.testing.assert_allclose(detector.scores(NEW), expected, atol=2e-4)


@pytest.mark.parametrize("labels", [LABELS, None])
def test_mahalanobis_equals_pytorch_ood(labels: np.ndarray | None) -> None:
    detector = fit_detector("mahalanobis", FEATURES, LESIONS, labels)
    classes = torch.zeros(N, dtype=torch.long) if labels is None else torch.from_numpy(labels)
    reference = Mahalanobis(None).fit_features(torch.from_numpy(FEATURES), classes)
    deviations = FEATURES - reference.mu.numpy()[classes.numpy()]
    covariance = LedoitWolf(assume_centered=True).fit(deviations.astype(np.float64)).covariance_
    reference.precision = torch.from_numpy(np.linalg.inv(covariance)).float()  # the reference does not shrink
    expected = np.sqrt(2 * reference.predict_features(torch.from_numpy(NEW)).numpy())
    np.testing.assert_allclose(detector.scores(NEW), expected, rtol=1e-4)


def test_mahalanobis_of_more_features_than_images() -> None:
    features, new = sample_features(30, f=50), sample_features(5, f=50, seed=1)
    detector = fit_detector("mahalanobis", features, np.arange(30))
    deviations = (features - features.mean(axis=0)).astype(np.float64)
    assert 0 < ledoit_wolf_shrinkage(deviations, assume_centered=True) < 1
    precision = LedoitWolf(assume_centered=True).fit(deviations).precision_
    expected = [np.sqrt(d @ precision @ d) for d in new - features.mean(axis=0)]
    np.testing.assert_allclose(detector.scores(new), expected, rtol=1e-3)


def test_vim_equals_pytorch_ood() -> None:
    head = sample_head()
    detector = fit_detector("vim", FEATURES, LESIONS, head=head)
    dimensions = detector.arrays["basis"].shape[1]
    assert 1 < dimensions < F
    reference = ViM(None, dimensions, *map(torch.from_numpy, head))
    reference.fit_features(torch.from_numpy(FEATURES), torch.from_numpy(LABELS))
    expected = reference.predict_features(torch.from_numpy(NEW)).numpy()
    np.testing.assert_allclose(detector.scores(NEW), expected, rtol=1e-3, atol=1e-3)


def test_vim_without_head_is_the_residual() -> None:
    detector = fit_detector("vim", FEATURES, LESIONS)
    mean, d = FEATURES.mean(axis=0), detector.arrays["basis"].shape[1]
    axes = np.linalg.svd(FEATURES - mean, full_matrices=False)[2][:d]
    expected = [np.linalg.norm(x - mean - axes.T @ (axes @ (x - mean))) for x in NEW]
    np.testing.assert_allclose(detector.scores(NEW), expected, rtol=1e-3)


def test_msp_of_several_classes_and_of_one() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3], [0.1, 0.9, 0.0]])
    np.testing.assert_allclose(
        fit_detector("msp", scores, [1, 2, 3]).scores(scores), [0.3, 0.6, 0.1], atol=1e-6
    )
    single = np.array([[0.9], [0.2], [0.5]])
    np.testing.assert_allclose(
        fit_detector("msp", single, [1, 2, 3]).scores(single), [0.1, 0.2, 0.5], atol=1e-6
    )


def test_knn_reference_excludes_the_lesion() -> None:
    detector = fit_detector("knn", FEATURES, LESIONS)
    unit = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True)
    expected = []
    for index in range(N):
        others = [other for other in range(N) if LESIONS[other] != LESIONS[index]]
        expected.append(sorted(np.linalg.norm(unit[others] - unit[index], axis=1))[NUM_NEIGHBORS - 1])
    np.testing.assert_allclose(detector.reference, sorted(expected), atol=2e-4)


@pytest.mark.parametrize("name", ["mahalanobis", "vim"])
def test_reference_of_fitted_detectors_is_held_out(name: str) -> None:
    """With as many features as images, scores of the fitted images are much lower than those of new images."""
    features, new = sample_features(60, f=50), sample_features(60, f=50, seed=1)
    detector = fit_detector(name, features, np.arange(60))
    new_median, reference_median = np.median(detector.scores(new)), np.median(detector.reference)
    assert np.median(detector.scores(features)) < 0.9 * new_median
    assert reference_median == pytest.approx(new_median, rel=0.1)


@pytest.mark.parametrize("name", DETECTORS)
def test_false_alarm_rate_of_new_images(name: str) -> None:
    detector = fit_detector(
        name, input_of(name, sample_features(400)), np.arange(400), np.arange(400) % CLASSES
    )
    scores = detector.scores(input_of(name, sample_features(1000, seed=5)))
    assert np.mean(scores > detector.cutoff(0.1)) == pytest.approx(0.1, abs=0.05)
    assert np.median(detector.percentile(scores)) == pytest.approx(50, abs=10)


@pytest.mark.parametrize("name", ["knn", "mahalanobis", "vim"])
def test_unlike_images_have_larger_scores(name: str) -> None:
    features = FEATURES + 6
    detector = fit_detector(name, features, LESIONS, LABELS)
    unlike = -3 * features[:50]  # longer, and in the opposite direction
    assert (detector.scores(unlike) > detector.cutoff(0.05)).mean() > 0.95


def test_cutoff_and_percentile_of_known_scores() -> None:
    detector = OODDetector("msp", {}, np.arange(1, 20, dtype=np.float32))
    assert [detector.cutoff(rate) for rate in (0.05, 0.5, 0.9)] == [19, 10, 2]
    assert detector.cutoff(0.049) == np.inf
    np.testing.assert_allclose(detector.percentile([0, 1, 1.5, 19, 20]), np.array([0, 0, 1, 18, 19]) / 0.19)


def test_large_features_are_stored_in_ten_megabytes() -> None:
    features = np.random.default_rng(0).normal(size=(1400, 2048)).astype(np.float32)
    bank = fit_detector("knn", features, np.arange(1400) // 2).arrays
    assert bank["bank"].size <= MAX_BANK_VALUES
    assert len(np.unique(bank["bank_group"])) == 700
    assert sum(array.nbytes for array in bank.values()) < 1e7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mahalanobis", "vim"])
def test_components_are_stored_in_ten_megabytes(name: str) -> None:
    features = np.random.default_rng(0).normal(size=(2000, 2048)).astype(np.float32)
    detector = fit_detector(name, features, np.arange(2000))
    assert sum(array.nbytes for array in detector.arrays.values()) < 1e7
    assert np.isfinite(detector.scores(features[:5])).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_same_seed_and_batch_size_change_nothing(name: str) -> None:
    inputs, new = input_of(name, FEATURES), input_of(name, NEW)
    first, second = (fit_detector(name, inputs, LESIONS, LABELS, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.reference, second.reference)
    one_by_one = np.concatenate([first.scores(new[i : i + 1]) for i in range(len(new))])
    np.testing.assert_allclose(first.scores(new), one_by_one, rtol=1e-4, atol=1e-4)
    assert first.scores(new[:0]).shape == (0,)
    assert all(array.dtype == np.float32 for array in (*first.arrays.values(), first.reference))


@pytest.mark.parametrize("name", DETECTORS)
def test_copies_in_other_lesions_are_of_one_lesion(name: str) -> None:
    """Lesions 0 and 1, and 1 and 2, have an image in common: all three are one."""
    features = sample_features(36)
    features[2], features[4] = features[1], features[3]
    lesions = np.arange(36) // 2
    merged = np.where(lesions <= 2, 0, lesions)
    split = fit_detector(name, input_of(name, features), lesions, seed=1)
    np.testing.assert_array_equal(
        split.reference, fit_detector(name, input_of(name, features), merged, seed=1).reference
    )


@pytest.mark.parametrize("name", DETECTORS)
def test_few_lesions_and_constant_columns(name: str) -> None:
    features = sample_features(8)
    features[:, 3:6] = 2
    detector = fit_detector(name, input_of(name, features), np.arange(8))
    assert np.isfinite(detector.reference).all()
    assert np.isfinite(detector.scores(input_of(name, features))).all()
    assert detector.cutoff() == np.inf


def test_string_labels_and_a_class_of_one_image() -> None:
    labels = np.where(np.arange(N) == 5, "vasc", "nv")
    assert np.isfinite(fit_detector("mahalanobis", FEATURES, LESIONS.astype(str), labels).reference).all()


BROKEN = FEATURES.copy()
BROKEN[7, 2] = np.nan


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mahalanobs", FEATURES, LESIONS), "unknown detector 'mahalanobs': did you mean 'mahalanobis'"),
        (("knn", FEATURES, np.zeros(N)), "fewer than 2 calibration lesions"),
        (("knn", FEATURES[:0], LESIONS[:0]), "fewer than 2 calibration lesions"),
        (
            ("vim", np.ones((N, F)), LESIONS),
            "features of the 120 calibration images do not tell lesions apart",
        ),
        (
            ("knn", BROKEN, LESIONS),
            r"Features of 1 of 120 images are not finite numbers \(the first in row 7\)",
        ),
        (("knn", FEATURES, LESIONS[1:]), "differ in number"),
        (("knn", FEATURES[0], LESIONS), "one row per image"),
        (("mahalanobis", FEATURES[:4], [1, 2, 3, 4], list("abcd")), "do not vary within a class"),
        (("msp", FEATURES, LESIONS), "msp needs class scores between 0 and 1"),
    ],
)
def test_bad_calibration_images_are_rejected(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_detector(*arguments)


def test_bad_inputs_of_a_detector_are_rejected() -> None:
    detector = fit_detector("knn", FEATURES, LESIONS)
    with pytest.raises(DataError, match="needs 16 features per image, not 15"):
        detector.scores(NEW[:, 1:])
    with pytest.raises(DataError, match="not finite"):
        detector.scores(BROKEN)
    with pytest.raises(DataError, match="false-alarm rate 1 is not between 0 and 1"):
        detector.cutoff(1)
