"""Epoch sampler: several and fractional passes, repeated images, determinism."""

import numpy as np
import pytest

from lesionlens.data.sampler import EpochSampler

TARGETS = np.array([0] * 6 + [1] * 2)


def image_indices(sampler: EpochSampler) -> list[int]:
    return [sample.image_index for sample in sampler]


@pytest.mark.parametrize(("passes", "length"), [(1, 8), (2, 16), (0.5, 4), (1.6, 13), (0.01, 1)])
def test_epoch_length(passes: float, length: int) -> None:
    sampler = EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, passes_per_epoch=passes)
    assert len(sampler) == len(list(sampler)) == length


def test_each_pass_has_every_image_once_in_a_new_order() -> None:
    images = image_indices(
        EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, passes_per_epoch=2)
    )
    assert sorted(images[:8]) == sorted(images[8:]) == list(range(8))
    assert images[:8] != images[8:]


def test_repeats_multiply_samples() -> None:
    repeats = np.where(TARGETS == 1, 4, 1)  # melanomas four times, as in the lists of AttnMel
    images = image_indices(
        EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, repeats=repeats)
    )
    assert np.bincount(images).tolist() == [1] * 6 + [4] * 2


def test_epoch_order_depends_only_on_seed_and_epoch() -> None:
    sampler, reused = (
        EpochSampler(TARGETS, crops_per_image=2, sampling="weighted", seed=3, passes_per_epoch=1.5)
        for _ in range(2)
    )
    reused.set_epoch(4)
    list(reused)
    reused.set_epoch(0)
    assert list(sampler) == list(reused)
