"""Tests of profiles: small budgets keep what distinguishes the rows of a table."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.reproduction.catalog import list_row_recipes
from lesionlens.reproduction.profiles import PROFILES, get_profile
from lesionlens.runs.load import load_recipe
from lesionlens.training.resolve import resolve

ROWS = sorted({row.recipe for row in list_row_recipes() if row.recipe})
UNCHANGED = ("attention_prior", "augment", "n_folds")
UNCHANGED_OF_TRAIN = (
    "loss",
    "focal_gamma",
    "sampling",
    "class_repeats",
    "class_weight_power",
    "class_weights",
    "confirmation_weights",
)


@pytest.mark.parametrize(("name", "rows"), [("short", ROWS[::2]), ("smoke", ROWS[1::5])])
def test_every_recipe_keeps_its_mechanism_balance_and_prior(name: str, rows: list[str]) -> None:
    for row in rows:
        before = load_recipe(row)
        after = load_recipe(row, PROFILES[name].overrides(before))
        assert resolve(after).architecture.attention == resolve(before).architecture.attention
        assert resolve(after).architecture.num_crops == resolve(before).architecture.num_crops
        for key in UNCHANGED:
            assert getattr(after, key) == getattr(before, key), (row, key)
        for key in UNCHANGED_OF_TRAIN:
            assert getattr(after.train, key) == getattr(before.train, key), (row, key)
        assert after.model.mean_and_std() == before.model.mean_and_std()
        assert (after.data.task, after.data.checkpoint_split) == (
            before.data.task,
            before.data.checkpoint_split,
        )
        assert after.train.epochs in {PROFILES[name].epochs, PROFILES[name].scratch_epochs}


def test_keys_of_nested_sections_are_overridden_one_by_one() -> None:
    name = "arl/table3:arl-cnn50-melanoma"
    before = load_recipe(name)
    after = load_recipe(name, PROFILES["short"].overrides(before))
    assert after.train.lr_scheduler == before.train.lr_scheduler.model_copy(update={"name": "cosine"})
    assert after.train.early_stopping.patience is None
    assert after.crops.train == before.crops.train.model_copy(update={"count": 2})
    assert after.crops.test == before.crops.test.model_copy(update={"count": 4})


def test_profile_paper_has_no_overrides() -> None:
    assert PROFILES["paper"].overrides(load_recipe("arl/cnn50")) == []


def test_resnet50_becomes_the_papers_own_14_layers() -> None:
    name = "arl/table5:channel-melanoma"
    overrides = PROFILES["short"].overrides(load_recipe(name))
    architecture = resolve(load_recipe(name, overrides)).architecture
    assert architecture.kwargs["layers"] == [1, 1, 1, 1]
    assert architecture.kwargs["normalization"] == "channel"
    assert load_recipe(name, overrides).model.weights == "none"


@pytest.mark.parametrize(
    ("extended", "model", "backbone", "weights"),
    [
        ("arl/cnn50", "senet50", "seresnet50.ra2_in1k", "none"),
        ("arl/cnn50", "vgg16", "mobilenetv2_100", "imagenet"),  # has no residual blocks
        ("soft/ham10000", "soft_resnet50", "mobilenetv2_100", "imagenet"),  # another protocol
    ],
)
def test_small_network_follows_from_the_recipe_under_any_name(
    tmp_path: Path, extended: str, model: str, backbone: str, weights: str
) -> None:
    custom = str(tmp_path / "custom.yaml")
    Path(custom).write_text(f"base: {extended}\nmodel: {model}\n")
    small = load_recipe(custom, PROFILES["short"].overrides(load_recipe(custom))).model
    assert (small.backbone, small.weights) == (backbone, weights)


def test_published_folds_of_real_images_become_folds_by_lesion() -> None:
    name = "patch/table2:dense121-dual-attention"
    recipe = load_recipe(name, PROFILES["short"].overrides(load_recipe(name)))
    assert (recipe.data.split, recipe.n_folds) == ("group_kfold", 3)


@pytest.mark.parametrize(
    ("name", "recipe", "requested", "runs"),
    [
        ("paper", "arl/table7:resnet50-ten-runs-seborrheic-keratosis", None, 10),
        ("short", "arl/table7:resnet50-ten-runs-seborrheic-keratosis", None, 3),
        ("short", "patch/table2:dense121-dual-attention", None, 1),  # three folds
        ("smoke", "arl/table7:resnet50-ten-runs-seborrheic-keratosis", None, 1),
        ("smoke", "patch/table2:dense121-dual-attention", 2, 2),
    ],
)
def test_repeats(name: str, recipe: str, requested: int | None, runs: int) -> None:
    assert PROFILES[name].resolve_repeats(load_recipe(recipe), requested) == runs


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'short'"):
        get_profile("shirt")


def test_gated_stages_are_mapped_to_the_small_network() -> None:
    name = "attnmel/table3.2:attnmel-cnn-lesion"
    overrides = ["attention_prior.weight={pool4: 0.01}", "model.kwargs={taps: [pool4]}"]
    recipe = load_recipe(name, [*overrides, *PROFILES["short"].overrides(load_recipe(name, overrides))])
    assert recipe.attention_prior.weight == {"blocks.4": 0.01}
    assert recipe.model.kwargs["taps"] == ["blocks.4"]
