"""Weights and orders by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from lesionlens.data.sampler import class_weights, sample_epoch_order

HAM = np.array([1113, 6705, 514, 327, 1099, 115, 142])  # images of HAM10000, in the order of the taxonomy


def test_weights_of_ham10000() -> None:
    expected = [9.0, 1.49, 19.5, 30.6, 9.1, 87.1, 70.5]  # rounded, as established from Gessert's code
    np.testing.assert_allclose(class_weights(HAM), expected, rtol=0.005)


def test_scikit_learn_agrees_up_to_the_number_of_classes() -> None:
    targets = np.repeat(np.arange(7), HAM)
    theirs = compute_class_weight("balanced", classes=np.arange(7), y=targets)
    np.testing.assert_allclose(class_weights(HAM), 7 * theirs)


@pytest.mark.parametrize("power", [0.5, 0.75, 1, 1.25, 1.5])
def test_power(power: float) -> None:
    np.testing.assert_allclose(class_weights(HAM, power=power), (HAM.sum() / HAM) ** power)


def test_an_absent_class_weighs_nothing() -> None:
    assert class_weights(np.array([3, 0, 1])).tolist() == [4 / 3, 0, 4]


TARGETS = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(np.array)


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_shuffle_visits_each_once(targets: np.ndarray, seed: int) -> None:
    visits = sample_epoch_order(targets, "shuffle", np.random.default_rng(seed))
    assert sorted(visits) == list(range(len(targets)))


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_oversample_makes_classes_equal_and_images_nearly(targets: np.ndarray, seed: int) -> None:
    visits = sample_epoch_order(targets, "oversample", np.random.default_rng(seed))
    most = np.bincount(targets).max()
    for present in np.unique(targets):
        assert (targets[visits] == present).sum() == most
        often = np.bincount(visits, minlength=len(targets))[targets == present]
        assert np.ptp(often) <= 1


@given(targets=TARGETS, seed=st.integers(0, 99), batch=st.integers(1, 13))
def test_every_balanced_batch_holds_each_class_equally_often_or_once_more(
    targets: np.ndarray, seed: int, batch: int
) -> None:
    classes = np.unique(targets)
    rng = np.random.default_rng(seed)
    visits = np.concatenate(
        [sample_epoch_order(targets, "balanced", rng) for _ in range(3)]
    )  # as of an epoch of three crops
    assert len(visits) == 3 * len(classes) * -(-len(targets) // len(classes))
    for start in range(0, len(visits) - batch + 1, batch):
        seen = targets[visits[start : start + batch]]
        counts = [(seen == present).sum() for present in classes]
        assert set(counts) <= {batch // len(classes), -(-batch // len(classes))}


@given(targets=TARGETS, seed=st.integers(0, 99))
def test_even_levels_large_and_small_classes(targets: np.ndarray, seed: int) -> None:
    visits = sample_epoch_order(targets, "equal", np.random.default_rng(seed))
    counts = np.bincount(targets[visits], minlength=4)[np.unique(targets)]
    assert set(counts) == {-(-len(targets) // len(counts))}
    for present in np.unique(targets):
        often = np.bincount(visits, minlength=len(targets))[targets == present]
        assert np.ptp(often) <= 1


def test_weighted_draws_classes_equally_likely() -> None:
    targets = np.array([0] * 9000 + [1] * 900 + [2] * 100)
    drawn = targets[sample_epoch_order(targets, "weighted", np.random.default_rng(0))]
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), 1 / 3, atol=0.02)
