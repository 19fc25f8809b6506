"""Recipes of the authors' code: each point of a recipe file, applied after the overrides of a table row."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.runs.load import code_differences, load_recipe


def test_the_code_s_network_follows_the_row() -> None:
    assert load_recipe("attnmel/table3.2:mel-cnn").model.name == "mel_cnn"
    code = load_recipe("attnmel/table3.2:mel-cnn@authors")
    assert (code.model.name, code.train.passes_per_epoch) == ("mel_cnn_bn", 2)
    assert load_recipe("attnmel/table3.1:mel-cnn@authors").train.passes_per_epoch == 5
    assert load_recipe("attnmel/table3.4:mel-cnn@authors").train.passes_per_epoch == 1


@pytest.mark.parametrize(
    ("row", "key", "paper", "code"),
    [
        ("patch/table5:dense121-diag.-weighting", "train.confirmation_weights", "benign", "authors_all"),
        ("patch/table2:dense121-single-crop", "crops.test.strategy", "gessert-center", "gessert-center-336"),
        ("soft/table1:irv2-sa", "model.normalization", "unit", "minus_one_one"),
        ("soft/table1:irv2-sa", "data.checkpoint_split", "validation", "test"),
        ("soft/table1:irv2-sa", "train.class_weights", {}, {"melanoma": 5}),
        ("soft/table1:vgg16-sa", "train.class_weights", {}, {}),
        ("soft/table1:vgg16-sa", "model.name", "soft_vgg16", "soft_vgg16_authors"),
        ("patch/table2:se-rx-end-attention", "model.kwargs", {"patch_dropout": 0.2}, {"patch_dropout": 0.2}),
        (
            "patch/table2:dense121-end-attention",
            "model.kwargs",
            {"patch_dropout": 0.2},
            {"patch_dropout": 0.2, "last_relu": False},
        ),
    ],
)
def test_points_of_the_released_code(row: str, key: str, paper: object, code: object) -> None:
    section, _, rest = key.partition(".")
    for name, expected in ((row, paper), (f"{row}@authors", code)):
        value = getattr(load_recipe(name), section)
        for part in rest.split("."):
            value = getattr(value, part)
        assert value == expected, name


def test_overrides_of_the_user_come_last() -> None:
    recipe = load_recipe("soft/table1:irv2-sa@authors", ["model.normalization=imagenet"])
    assert (recipe.model.normalization, recipe.data.checkpoint_split) == ("imagenet", "test")


def test_points_of_a_file_extend_those_of_its_base(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "base: attnmel/isic2017\nauthors:\n  - {point: rate, paper: '0.01', code: '0.1', overrides: train.lr=0.1}\n"
    )
    assert load_recipe(str(file)).train.lr == 0.01
    code = load_recipe(f"{file}@authors")
    assert (code.train.lr, code.model.name) == (0.1, "attnmel_cnn_bn")
    assert [point.point for point in code_differences(str(file))][-1] == "rate"
    child = tmp_path / "child.yaml"
    child.write_text(f"base: {file}@authors\ntrain: {{epochs: 3}}\n")
    assert (load_recipe(str(child)).train.lr, load_recipe(str(child)).train.epochs) == (0.1, 3)


def test_recipes_without_public_code_say_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no code of the authors is known for this recipe; use arl/cnn50"):
        load_recipe("arl/cnn50@authors")
    file = tmp_path / "mine.yaml"
    file.write_text("base: attnmel/isic2017\nauthors:\n  - {point: rate, text: '0.01'}\n")
    with pytest.raises(RecipeError, match=r"authors in the recipe .*mine\.yaml is not a list of points"):
        load_recipe(str(file))
