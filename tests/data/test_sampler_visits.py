"""Epochs of several passes, of a part of one, and of lists with copies."""

import numpy as np
import pytest

from lesionlens.data.sampler import EpochSampler

TARGETS = np.array([0] * 6 + [1] * 2)


def images_of(visits: EpochSampler) -> list[int]:
    return [visit.image_index for visit in visits]


@pytest.mark.parametrize(("passes", "length"), [(1, 8), (2, 16), (0.5, 4), (1.6, 13), (0.01, 1)])
def test_length_of_an_epoch(passes: float, length: int) -> None:
    visits = EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, passes_per_epoch=passes)
    assert len(visits) == len(list(visits)) == length


def test_each_whole_pass_visits_every_image_once_in_another_order() -> None:
    seen = images_of(EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, passes_per_epoch=2))
    assert sorted(seen[:8]) == sorted(seen[8:]) == list(range(8))
    assert seen[:8] != seen[8:]


def test_copies_are_visited_as_often_as_they_are_listed() -> None:
    copies = np.where(TARGETS == 1, 4, 1)  # melanomas four times, as in AttnMel's lists
    seen = images_of(EpochSampler(TARGETS, crops_per_image=1, sampling="shuffle", seed=0, repeats=copies))
    assert np.bincount(seen).tolist() == [1] * 6 + [4] * 2


def test_an_epoch_is_drawn_from_seed_and_number_alone() -> None:
    one, other = (
        EpochSampler(TARGETS, crops_per_image=2, sampling="weighted", seed=3, passes_per_epoch=1.5)
        for _ in range(2)
    )
    other.set_epoch(4)
    list(other)
    other.set_epoch(0)
    assert list(one) == list(other)
