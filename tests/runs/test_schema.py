"""What the section ``attention_prior`` allows, and what it does to the masks of the training part alone."""

import numpy as np
import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.masks import iou
from lesionlens.runs.load import load_recipe
from lesionlens.runs.schema import CropRecipe
from lesionlens.training.build import RunComponents, build_datamodule, build_module
from lesionlens.training.setup import set_up_run


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["attention_prior.mask_fraction=1.5"], "attention_prior.mask_fraction.*less than or equal to 1"),
        (["attention_prior.mask_fraction=-0.1"], "attention_prior.mask_fraction.*greater than or equal to 0"),
        (["attention_prior.mask_degradation=rough"], "attention_prior.mask_degradation.*'exact', 'eroded'"),
        (
            ["attention_prior.mask_degradation=eroded", "attention_prior.severity=-0.1"],
            "severity=-0.1 of mask_degradation=eroded is in diameters.* 0 to 2",
        ),
        (
            ["attention_prior.mask_degradation=polygon", "attention_prior.severity=2"],
            "severity=2 of mask_degradation=polygon is the number of corners: 3",
        ),
        (
            ["attention_prior.mask_degradation=polygon", "attention_prior.severity=4.5"],
            "the number of corners; give a whole one",
        ),
        (
            ["attention_prior.mask_degradation=bounding_box", "attention_prior.severity=2"],
            "mask_degradation=bounding_box has no severity; leave it out, or give one of eroded",
        ),
        (["attention_prior.severity=2"], "mask_degradation=exact has no severity"),
        (
            ["attention_prior=none", "attention_prior.mask_degradation=bounding_box"],
            "target is none; give target=lesion",
        ),
        (["attention_prior=none", "attention_prior.mask_fraction=0.5"], "target is none; give target=lesion"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(
    recipe: str, words: list[str], said: list[str], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe, [*words, "attention_prior=lesion", *said])


def made(recipe: str, words: list[str], *said: str) -> RunComponents:
    return build_datamodule(set_up_run(load_recipe(recipe, [*words, *said])))


def test_training_masks_are_worse_and_fewer_and_the_record_says_so(recipe: str, words: list[str]) -> None:
    exact = made(recipe, words, "attention_prior=lesion")
    worse = made(
        recipe,
        words,
        "attention_prior=lesion",
        "attention_prior.mask_degradation=polygon",
        "attention_prior.mask_fraction=0.5",
    )
    before, after = (
        exact.datamodule.train_dataset.split_data.masks,
        worse.datamodule.train_dataset.split_data.masks,
    )
    assert before is not None
    assert after is not None
    assert before.has_mask.all()
    facts = worse.setup.describe()["attention_prior"]
    assert (facts["num_with_mask"], facts["num_used"]) == (len(before), after.has_mask.sum())
    assert facts["num_used"] == pytest.approx(len(before) / 2, abs=1.5)
    alike = [iou(after[place], before[place]) for place in np.flatnonzero(after.has_mask)]
    assert facts["mean_iou"] == pytest.approx(np.mean(alike), abs=1e-4)
    assert 0.7 < facts["mean_iou"] < 0.95
    assert worse.setup.excluded == exact.setup.excluded == ()  # told by its count alone
    assert worse.datamodule.val_dataset.split_data.masks is None


def test_a_share_of_none_is_no_masks(recipe: str, words: list[str]) -> None:
    ready = made(
        recipe,
        words,
        "attention_prior=lesion",
        "attention_prior.mask_fraction=0",
        "attention_prior.mask_degradation=bounding_box",
    )
    assert ready.datamodule.train_dataset.split_data.masks is None
    assert ready.setup.describe()["attention_prior"] == {}
    model = ready.setup.resolved_model.build(len(ready.setup.task.output_names)).model
    assert build_module(ready.setup, model).attention_prior is None


@pytest.mark.slow
def test_seeds_of_training_share_their_masks_and_seeds_of_the_prior_do_not(
    recipe: str, words: list[str]
) -> None:
    said = ["attention_prior=lesion", "attention_prior.mask_fraction=0.5"]
    one, again, other = (
        made(
            recipe, [*words, "data.split_seed=0"], *said, *more
        ).datamodule.train_dataset.split_data.masks.has_mask
        for more in ([], ["train.seed=5"], ["attention_prior.seed=1"])
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


NINE = CropRecipe(train="grid", train_count=9, test="grid", test_count=9)


def test_a_network_of_images_takes_the_crops_that_are_asked_for() -> None:
    asked = CropRecipe(train="random-square", train_count=4, test="grid", test_count=16)
    assert asked.for_model(None) == asked


@pytest.mark.parametrize("asked", [CropRecipe(), NINE, CropRecipe(test="grid", train_count=9)])
def test_a_network_of_crops_brings_its_own(asked: CropRecipe) -> None:
    assert asked.for_model(9) == NINE


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (CropRecipe(train="random-square"), r"crops\.train=random-square\. Leave"),
        (NINE, r"crops\.train_count=9 crops\.test_count=9\. Leave"),
        (
            CropRecipe(test="center-square", test_count=2),
            r"crops\.test=center-square crops\.test_count=2\. Leave",
        ),
    ],
)
def test_a_contradiction_is_refused(asked: CropRecipe, said: str) -> None:
    with pytest.raises(RecipeError, match=f"takes 16 grid crops of each image at once, .* says {said}"):
        asked.for_model(16)


@pytest.mark.parametrize(
    ("asked", "crops"), [(CropRecipe(), 8), (CropRecipe(train="grid", train_count=8), None)]
)
def test_numbers_without_an_order_are_refused(asked: CropRecipe, crops: int | None) -> None:
    with pytest.raises(RecipeError, match="no grid of 8 crops; allowed: 5, 7, 9, 16, 25, 36"):
        asked.for_model(crops)


def test_a_network_that_only_averages_may_be_trained_on_random_crops() -> None:
    asked = CropRecipe(train="random-square", train_count=2)
    assert asked.for_model(9, fixed_positions=False) == CropRecipe(
        train="random-square", train_count=2, test="grid", test_count=9
    )
    assert CropRecipe().for_model(9, fixed_positions=False) == NINE
