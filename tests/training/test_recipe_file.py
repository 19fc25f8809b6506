"""Recipes over their bases: what is merged, what is replaced, what is refused."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.runs.load import load_recipe
from lesionlens.runs.load import merge, read_raw, builtin_recipes


def write(folder: Path, **files: str) -> str:
    """Write recipe files; give the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{next(iter(files))}.yaml")


def test_a_file_over_a_shipped_recipe(tmp_path: Path) -> None:
    name = write(tmp_path, mine="base: arl/cnn14\ntrain: {epochs: 3}\ndata: isic2017:/x\n")
    mine, base = load_recipe(name, ["train.lr=0.5"]), load_recipe("arl/cnn14")
    assert mine.data == base.data.model_copy(update={"source": "isic2017:/x"})
    assert mine.train == base.train.model_copy(update={"epochs": 3, "lr": 0.5})
    assert (mine.model, mine.crops, mine.augment) == (base.model, base.crops, base.augment)


def test_a_file_over_a_file_over_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    write(tmp_path / "low", a="base: b.yaml\nruns: 2\n", b="base: plain\nruns: 9\ntrain: {seed: 4}\n")
    recipe = load_recipe(write(tmp_path, top="base: low/a.yaml\ntrain: {epochs: 2}\n"))
    assert (recipe.num_repeats, recipe.train.seed, recipe.train.epochs) == (2, 4, 2)
    assert recipe.model.backbone == load_recipe("plain").model.backbone


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"train": {"a": 1, "b": 2}}, {"train": {"b": 3}}, {"train": {"a": 1, "b": 3}}),
        ({"model": {"mean": [1, 2, 3]}}, {"model": {"mean": [0]}}, {"model": {"mean": [0]}}),
        ({"model": {"options": {"x": 1}}}, {"model": {"options": {"y": 2}}}, {"model": {"options": {"x": 1, "y": 2}}}),
        ({"model": {"name": "a", "mean": 1}}, {"model": {"backbone": "b"}}, {"model": {"mean": 1, "backbone": "b"}}),
        ({"model": {"backbone": "b", "attention": "c"}}, {"model": "a"}, {"model": {"name": "a"}}),
        ({"model": {"name": "a"}}, {"model": {"input_size": 9}}, {"model": {"name": "a", "input_size": 9}}),
        ({"data": "n:/r"}, {"data": {"task": "t"}}, {"data": {"source": "n:/r", "task": "t"}}),
        ({"augment": {"preset": "arl", "zoom": 1}}, {"augment": "none"}, {"augment": {"preset": "none"}}),
        ({"augment": "arl"}, {"augment": {"zoom": 1}}, {"augment": {"preset": "arl", "zoom": 1}}),
        ({"train": {"patience": 3}}, {"train": {"patience": None}}, {"train": {"patience": None}}),
    ],
)  # fmt: skip
def test_tables_are_merged_and_all_else_is_replaced(
    base: dict[str, object], over: dict[str, object], expected: dict[str, object]
) -> None:
    assert merge(base, over) == expected


def test_what_lies_below_stays_as_it_was() -> None:
    base = {"train": {"a": 1}}
    merge(base, {"train": {"a": 2}})
    assert base == {"train": {"a": 1}}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": "base: arl/cnn41"}, "unknown base of the recipe .*a.yaml: 'arl/cnn41': did you mean 'arl/cnn14'"),
        ({"a": "base: b.yaml", "b": "base: a.yaml"}, "each other's base: .*a.yaml → .*b.yaml → .*a.yaml; one must go"),
        ({"a": "base: a.yaml"}, "each other's base"),
        ({"a": "base: b.yaml"}, "cannot read the recipe .*b.yaml: No such file"),
        ({"a": "base: b.yaml", "b": "words"}, "the recipe .*b.yaml is no table of sections"),
        ({"a": "base: [plain, demo]"}, r"base: \['plain', 'demo'\] in the recipe .*a.yaml; give one name or one file"),
    ],
)  # fmt: skip
def test_bases_that_do_not_work(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_raw(write(tmp_path, **files))


def test_a_wrong_key_of_the_base_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'train.epoch': did you mean 'train.epochs'"):
        load_recipe(write(tmp_path, a="base: b.yaml", b="base: demo\ntrain: {epoch: 3}"))


def test_recipes_of_papers_compute_as_the_papers_did() -> None:
    """Were it left open, rows of one table could differ by the machine that ran them."""
    of_papers = [name for name in builtin_recipes() if "/" in name]
    assert len(of_papers) > 100
    assert {load_recipe(name).train.precision for name in of_papers} == {"fp32"}


def test_shipped_recipes_are_found_in_every_folder() -> None:
    assert {"demo", "plain", "arl/cnn50"} < set(builtin_recipes())
    assert all(file.name.endswith(".yaml") for file in builtin_recipes().values())
