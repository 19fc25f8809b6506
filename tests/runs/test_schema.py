"""Recipe schema: crops of a model, the attention prior, and its effect on the training masks."""

import numpy as np
import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.crops import CropName
from lesionlens.imaging.masks import iou
from lesionlens.runs.crop_schema import CropRecipe, EvalCropRecipe, TrainCropRecipe
from lesionlens.runs.load import load_recipe
from lesionlens.training.build import RunComponents, build
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import set_up_run


@pytest.mark.parametrize(
    ("overrides", "message"),
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
            "severity=2 of mask_degradation=polygon is the number of corners: allowed are 3",
        ),
        (
            ["attention_prior.mask_degradation=polygon", "attention_prior.severity=4.5"],
            "the number of corners; use an integer",
        ),
        (
            ["attention_prior.mask_degradation=bounding_box", "attention_prior.severity=2"],
            "mask_degradation=bounding_box has no severity; remove it, or use one of eroded",
        ),
        (["attention_prior.severity=2"], "mask_degradation=exact has no severity"),
        (
            ["attention_prior=none", "attention_prior.mask_degradation=bounding_box"],
            "target is none; set target=lesion",
        ),
        (["attention_prior=none", "attention_prior.mask_fraction=0.5"], "target is none; set target=lesion"),
    ],
)
def test_invalid_priors_are_rejected(
    recipe: str, base_overrides: list[str], overrides: list[str], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(recipe, [*base_overrides, "attention_prior=lesion", *overrides])


def build_components(recipe: str, base_overrides: list[str], *overrides: str) -> RunComponents:
    """Build a run with a model that has spatial attention maps."""
    options = ["model.attention=gate", "model.kwargs={}", "train.epochs=1", *overrides]
    return build(set_up_run(resolve(load_recipe(recipe, [*base_overrides, *options]))))


def test_masks_are_degraded_and_counted(recipe: str, base_overrides: list[str]) -> None:
    exact = build_components(recipe, base_overrides, "attention_prior=lesion")
    degraded = build_components(
        recipe,
        base_overrides,
        "attention_prior=lesion",
        "attention_prior.mask_degradation=polygon",
        "attention_prior.mask_fraction=0.5",
    )
    before, after = (components.datamodule.train_dataset.split_data.masks for components in (exact, degraded))
    assert before is not None
    assert after is not None
    assert before.has_mask.all()
    summary = degraded.describe_data()["attention_prior"]
    assert (summary["num_with_mask"], summary["num_used"]) == (len(before), after.has_mask.sum())
    assert summary["num_used"] == pytest.approx(len(before) / 2, abs=1.5)
    overlaps = [iou(after[index], before[index]) for index in np.flatnonzero(after.has_mask)]
    assert summary["mean_iou"] == pytest.approx(np.mean(overlaps), abs=1e-4)
    assert 0.7 < summary["mean_iou"] < 0.95
    assert degraded.excluded == exact.excluded == ()  # only counted
    assert degraded.datamodule.val_dataset.split_data.masks is None


def test_mask_fraction_of_zero_disables_the_prior(recipe: str, base_overrides: list[str]) -> None:
    components = build_components(
        recipe,
        base_overrides,
        "attention_prior=lesion",
        "attention_prior.mask_fraction=0",
        "attention_prior.mask_degradation=bounding_box",
    )
    assert components.datamodule.train_dataset.split_data.masks is None
    assert components.describe_data()["attention_prior"] == {}
    assert components.module.attention_prior is None


@pytest.mark.slow
def test_masks_depend_only_on_the_seed_of_the_prior(recipe: str, base_overrides: list[str]) -> None:
    prior = ["data.split_seed=0", "attention_prior=lesion", "attention_prior.mask_fraction=0.5"]
    first, same, different = (
        build_components(
            recipe, base_overrides, *prior, *seed
        ).datamodule.train_dataset.split_data.masks.has_mask
        for seed in ([], ["train.seed=5"], ["attention_prior.seed=1"])
    )
    np.testing.assert_array_equal(first, same)
    assert (first != different).any()


FULL: tuple[CropName, int] = ("full", 1)


def crop_recipe(*, train: tuple[CropName, int] = FULL, test: tuple[CropName, int] = FULL) -> CropRecipe:
    """Return crops from strategies and counts."""
    return CropRecipe(
        train=TrainCropRecipe(strategy=train[0], count=train[1]),
        test=EvalCropRecipe(strategy=test[0], count=test[1]),
    )


NINE = crop_recipe(train=("grid", 9), test=("grid", 9))


def test_model_of_images_keeps_the_crops() -> None:
    crops = crop_recipe(train=("random-square", 4), test=("grid", 16))
    assert crops.for_model(None) == crops


@pytest.mark.parametrize("crops", [CropRecipe(), NINE, crop_recipe(train=("full", 9), test=("grid", 1))])
def test_model_of_crops_sets_its_crops(crops: CropRecipe) -> None:
    assert crops.for_model(9) == NINE


@pytest.mark.parametrize(
    ("crops", "conflict"),
    [
        (crop_recipe(train=("random-square", 1)), r"crops\.train\.strategy=random-square\. Remove"),
        (NINE, r"crops\.train\.count=9 crops\.test\.count=9\. Remove"),
        (
            crop_recipe(test=("center-square", 2)),
            r"crops\.test\.strategy=center-square crops\.test\.count=2\. Remove",
        ),
    ],
)
def test_conflicting_crops_are_rejected(crops: CropRecipe, conflict: str) -> None:
    with pytest.raises(RecipeError, match=f"takes 16 grid crops of each image at once, .* sets {conflict}"):
        crops.for_model(16)


@pytest.mark.parametrize(("crops", "num_crops"), [(CropRecipe(), 8), (crop_recipe(train=("grid", 8)), None)])
def test_unsupported_crop_counts_are_rejected(crops: CropRecipe, num_crops: int | None) -> None:
    with pytest.raises(RecipeError, match="no grid of 8 crops; allowed: 5, 7, 9, 16, 25, 36"):
        crops.for_model(num_crops)


def test_model_of_crops_of_resized_images() -> None:
    crops = crop_recipe(train=("random-square-600x450", 1), test=("grid-600x450", 1))
    tested = crop_recipe(train=("random-square-600x450", 1), test=("grid-600x450", 9))
    assert crops.for_model(9, fixed_positions=False) == tested
    ordered = crop_recipe(test=("grid-600x450", 1)).for_model(9)
    assert ordered == crop_recipe(train=("grid-600x450", 9), test=("grid-600x450", 9))
    with pytest.raises(RecipeError, match="takes 9 grid crops"):
        crops.for_model(9)


def test_averaging_model_may_train_on_random_crops() -> None:
    crops = crop_recipe(train=("random-square", 2))
    assert crops.for_model(9, fixed_positions=False) == crop_recipe(
        train=("random-square", 2), test=("grid", 9)
    )
    assert CropRecipe().for_model(9, fixed_positions=False) == NINE
