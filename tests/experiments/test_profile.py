"""Small budgets leave of every recipe what makes it its row."""

import pytest

from lesionlens.errors import RecipeError
from lesionlens.experiments.profile import PROFILES, profile
from lesionlens.training.network import wanted
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.recipe_file import shipped

PAPERS = sorted(name for name in shipped() if name.count("/") == 2)
KEPT = ("prior", "augment", "folds")
KEPT_OF_TRAIN = (
    "loss",
    "gamma",
    "sampling",
    "copies",
    "class_weight_power",
    "class_weights",
    "diagnosis_weights",
)


@pytest.mark.parametrize(("name", "rows"), [("short", PAPERS[::2]), ("smoke", PAPERS[1::5])])
def test_every_recipe_keeps_its_mechanism_balance_and_prior(name: str, rows: list[str]) -> None:
    for row in rows:
        before = read_recipe(row)
        after = read_recipe(row, PROFILES[name].words(row, before))
        assert wanted(after).architecture.attention == wanted(before).architecture.attention
        assert wanted(after).architecture.crops == wanted(before).architecture.crops
        for key in KEPT:
            assert getattr(after, key) == getattr(before, key), (row, key)
        for key in KEPT_OF_TRAIN:
            assert getattr(after.train, key) == getattr(before.train, key), (row, key)
        assert after.model.scaling() == before.model.scaling()
        assert (after.data.task, after.data.select_on) == (before.data.task, before.data.select_on)
        assert after.train.epochs in {PROFILES[name].epochs, PROFILES[name].longer}


def test_the_papers_protocol_has_no_words() -> None:
    assert PROFILES["paper"].words("arl/cnn50", read_recipe("arl/cnn50")) == []


def test_fifty_layers_give_way_to_the_papers_own_fourteen() -> None:
    name = "arl/table5/channel-melanoma"
    words = PROFILES["short"].words(name, read_recipe(name))
    made = wanted(read_recipe(name, words)).architecture
    assert made.options["layers"] == [1, 1, 1, 1]
    assert made.options["normalisation"] == "channel"
    assert read_recipe(name, words).model.weights == "none"


def test_published_folds_of_real_images_become_folds_by_lesion() -> None:
    name = "patch/table2/densenet121-dual"
    found = read_recipe(name, PROFILES["short"].words(name, read_recipe(name)))
    assert (found.data.split, found.folds) == ("kfold", 3)


@pytest.mark.parametrize(
    ("name", "recipe", "asked", "runs"),
    [
        ("paper", "arl/table7/resnet50-sk", None, 10),
        ("short", "arl/table7/resnet50-sk", None, 3),
        ("short", "patch/table2/densenet121-dual", None, 1),  # three folds
        ("smoke", "arl/table7/resnet50-sk", None, 1),
        ("smoke", "patch/table2/densenet121-dual", 2, 2),
    ],
)
def test_repeats(name: str, recipe: str, asked: int | None, runs: int) -> None:
    assert PROFILES[name].repeats(read_recipe(recipe), asked) == runs


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'short'"):
        profile("shirt")


def test_places_of_gates_and_priors_become_the_small_networks() -> None:
    name = "attnmel/table3.2/attnmel-cnn-lesion"
    said = ["prior.weights={pool4: 0.01}", "model.options={taps: [pool4]}"]
    found = read_recipe(name, [*said, *PROFILES["short"].words(name, read_recipe(name, said))])
    assert found.prior.weights == {"blocks.4": 0.01}
    assert found.model.options["taps"] == ["blocks.4"]
