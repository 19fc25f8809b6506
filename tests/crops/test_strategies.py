"""Crops stay inside any image and are where their strategy says."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.crops.strategies import Box, CropName, Multiscale, RandomResized, strategy
from lesionlens.errors import RecipeError

SIDES = st.integers(1, 5000)


@given(
    name=st.sampled_from(get_args(CropName)),
    height=SIDES,
    width=SIDES,
    number=st.integers(0, 70),
    seed=st.integers(0, 99),
)
def test_a_box_is_inside_and_seeded(name: str, height: int, width: int, number: int, seed: int) -> None:
    box = strategy(name)(height, width, number, np.random.default_rng(seed))
    assert box.height >= 1
    assert box.width >= 1
    assert 0 <= box.top <= height - box.height
    assert 0 <= box.left <= width - box.width
    assert box == strategy(name)(height, width, number, np.random.default_rng(seed))


def test_sixty_patches_are_fifteen_of_each_scale() -> None:
    rng = np.random.default_rng(0)
    boxes = [Multiscale()(450, 600, number, rng) for number in range(60)]
    sizes = [(box.height, box.width) for box in boxes]
    assert {size: sizes.count(size) for size in sizes} == {
        (90, 120): 15,
        (180, 240): 15,
        (270, 360): 15,
        (360, 480): 15,
    }


@given(
    height=st.integers(50, 3000),
    width=st.integers(50, 3000),
    number=st.integers(0, 8),
    seed=st.integers(0, 99),
)
def test_a_patch_is_in_the_central_part(height: int, width: int, number: int, seed: int) -> None:
    box = Multiscale()(height, width, number, np.random.default_rng(seed))
    assert height / 4 - 1 <= box.top + box.height / 2 <= 3 * height / 4 + 1
    assert width / 4 - 1 <= box.left + box.width / 2 <= 3 * width / 4 + 1


def test_random_resized_keeps_to_its_ranges() -> None:
    rng = np.random.default_rng(1)
    boxes = [RandomResized(area=(0.25, 0.5))(600, 600, 0, rng) for _ in range(500)]
    shares = np.array([box.height * box.width / 600**2 for box in boxes])
    ratios = np.array([box.width / box.height for box in boxes])
    assert shares.min() > 0.24
    assert shares.max() < 0.51
    assert ratios.min() > 0.74
    assert ratios.max() < 1.35
    assert np.ptp(shares) > 0.2


def test_whole_and_center_by_hand() -> None:
    rng = np.random.default_rng(0)
    assert strategy("whole")(3, 5, 0, rng) == Box(0, 0, 3, 5)
    assert strategy("center")(450, 600, 0, rng) == Box(0, 75, 450, 450)


def test_an_unknown_strategy_lists_all() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'center'.*multiscale, random-resized, whole"):
        strategy("centre")
