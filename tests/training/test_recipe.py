"""Which crops a network is trained with: as asked, or the ones that it needs."""

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.runs.schema import CropRecipe

NINE = CropRecipe(train="ordered", train_count=9, test="ordered", test_count=9)


def test_a_network_of_images_takes_the_crops_that_are_asked_for() -> None:
    asked = CropRecipe(train="random", train_count=4, test="ordered", test_count=16)
    assert asked.for_model(None) == asked


@pytest.mark.parametrize("asked", [CropRecipe(), NINE, CropRecipe(test="ordered", train_count=9)])
def test_a_network_of_crops_brings_its_own(asked: CropRecipe) -> None:
    assert asked.for_model(9) == NINE


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (CropRecipe(train="random"), r"crops\.train=random\. Leave"),
        (NINE, r"crops\.train_count=9 crops\.test_count=9\. Leave"),
        (CropRecipe(test="center", test_count=2), r"crops\.test=center crops\.test_count=2\. Leave"),
    ],
)
def test_a_contradiction_is_refused(asked: CropRecipe, said: str) -> None:
    with pytest.raises(RecipeError, match=f"takes 16 ordered crops of each image at once, .* says {said}"):
        asked.for_model(16)


@pytest.mark.parametrize(
    ("asked", "crops"), [(CropRecipe(), 8), (CropRecipe(train="ordered", train_count=8), None)]
)
def test_numbers_without_an_order_are_refused(asked: CropRecipe, crops: int | None) -> None:
    with pytest.raises(RecipeError, match="no 8 ordered crops; allowed numbers: 5, 7, 9, 16, 25, 36"):
        asked.for_model(crops)


def test_a_network_that_only_averages_may_be_trained_on_random_crops() -> None:
    asked = CropRecipe(train="random", train_count=2)
    assert asked.for_model(9, fixed_positions=False) == CropRecipe(
        train="random", train_count=2, test="ordered", test_count=9
    )
    assert CropRecipe().for_model(9, fixed_positions=False) == NINE
