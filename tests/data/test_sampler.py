"""Class weights and the order of samples in an epoch, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from lesionlens.data.sampler import class_weights, sample_epoch_order

HAM = np.array([1113, 6705, 514, 327, 1099, 115, 142])  # images of HAM10000, in the order of the taxonomy


def test_weights_of_ham10000() -> None:
    expected = [9.0, 1.49, 19.5, 30.6, 9.1, 87.1, 70.5]  # rounded; computed with Gessert's code
    np.testing.assert_allclose(class_weights(HAM), expected, rtol=0.005)


def test_weights_equal_scikit_learn_times_num_classes() -> None:
    targets = np.repeat(np.arange(7), HAM)
    sklearn_weights = compute_class_weight("balanced", classes=np.arange(7), y=targets)
    np.testing.assert_allclose(class_weights(HAM), 7 * sklearn_weights)


@pytest.mark.parametrize("power", [0.5, 0.75, 1, 1.25, 1.5])
def test_power(power: float) -> None:
    np.testing.assert_allclose(class_weights(HAM, power=power), (HAM.sum() / HAM) ** power)


def test_absent_class_has_weight_zero() -> None:
    assert class_weights(np.array([3, 0, 1])).tolist() == [4 / 3, 0, 4]


TARGETS = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(np.array)


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_shuffle_has_each_image_once(targets: np.ndarray, seed: int) -> None:
    order = sample_epoch_order(targets, "shuffle", np.random.default_rng(seed))
    assert sorted(order) == list(range(len(targets)))


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_oversample_balances_classes_and_images(targets: np.ndarray, seed: int) -> None:
    order = sample_epoch_order(targets, "oversample", np.random.default_rng(seed))
    largest = np.bincount(targets).max()
    for present in np.unique(targets):
        assert (targets[order] == present).sum() == largest
        repeats = np.bincount(order, minlength=len(targets))[targets == present]
        assert np.ptp(repeats) <= 1


@given(targets=TARGETS, seed=st.integers(0, 99), batch=st.integers(1, 13))
def test_balanced_batches_have_each_class_equally_often(targets: np.ndarray, seed: int, batch: int) -> None:
    classes = np.unique(targets)
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [sample_epoch_order(targets, "balanced", rng) for _ in range(3)]
    )  # an epoch of three crops per image
    assert len(order) == 3 * len(classes) * -(-len(targets) // len(classes))
    for start in range(0, len(order) - batch + 1, batch):
        batch_targets = targets[order[start : start + batch]]
        counts = [(batch_targets == present).sum() for present in classes]
        assert set(counts) <= {batch // len(classes), -(-batch // len(classes))}


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_equal_balances_classes_without_growth(targets: np.ndarray, seed: int) -> None:
    order = sample_epoch_order(targets, "equal", np.random.default_rng(seed))
    counts = np.bincount(targets[order], minlength=4)[np.unique(targets)]
    assert set(counts) == {-(-len(targets) // len(counts))}
    for present in np.unique(targets):
        repeats = np.bincount(order, minlength=len(targets))[targets == present]
        assert np.ptp(repeats) <= 1


def test_weighted_samples_classes_with_equal_probability() -> None:
    targets = np.array([0] * 9000 + [1] * 900 + [2] * 100)
    sampled = targets[sample_epoch_order(targets, "weighted", np.random.default_rng(0))]
    np.testing.assert_allclose(np.bincount(sampled) / len(sampled), 1 / 3, atol=0.02)
