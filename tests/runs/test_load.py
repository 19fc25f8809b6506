"""Recipes: shipped ones are valid, words go over them, whatever is wrong is said at once."""

from pathlib import Path

import pytest
import yaml

from lesionlens.core.errors import RecipeError
from lesionlens.runs.load import load_recipe, merge, read_raw
from lesionlens.runs.recipe_files import builtin_recipes
from lesionlens.runs.run_dir import create_run_dir, write_recipe
from lesionlens.runs.schema import Recipe
from lesionlens.runs.table_rows import row_recipe_names


@pytest.mark.parametrize("name", sorted(name for name in builtin_recipes()))
def test_shipped_recipes_are_valid_and_resolve_to_themselves(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    folder = create_run_dir("run", out=tmp_path / "run")
    write_recipe(folder, recipe)
    assert load_recipe(str(folder.recipe)) == recipe
    assert set(yaml.safe_load(folder.recipe.read_text())) == set(Recipe.model_fields)  # and no base


def test_the_arl_recipe_is_the_papers() -> None:
    recipe = load_recipe("arl/cnn50")
    assert (recipe.train.lr, recipe.train.batch_size, recipe.train.epochs) == (0.0001, 32, 100)
    assert (recipe.train.schedule, recipe.train.step, recipe.train.factor) == ("step", 30, 0.5)
    assert (recipe.crops.train, recipe.crops.train_count, recipe.crops.test_count) == ("multi-scale", 60, 9)
    assert recipe.augment.preset == "arl"
    assert load_recipe("arl/cnn14").train.lr == 0.01


def test_words_go_over_the_recipe() -> None:
    words = [
        "data=isic2017:/x",
        "data.task=melanoma",
        "model.input_size=96",
        "train.lr=1e-3",
        "train.patience=null",
    ]
    recipe = load_recipe("demo", words)
    assert (recipe.data.source, recipe.data.task) == ("isic2017:/x", "melanoma")
    assert recipe.data.max_short_side == 160  # the rest of the section stays
    assert recipe.model.input_size == (96, 96)
    assert recipe.train.lr == 0.001


def test_the_short_form_of_a_file_takes_further_keys(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: isic2017:/x\nmodel: resnet14\n")
    recipe = load_recipe(str(tmp_path / "r.yaml"), ["data.task=melanoma", "model.input_size=64"])
    assert (recipe.data.source, recipe.data.task, recipe.model.name) == (
        "isic2017:/x",
        "melanoma",
        "resnet14",
    )


def test_a_network_named_by_a_word_replaces_the_recipes() -> None:
    assert load_recipe("plain", ["model=arl_cnn14"]).model.name == "arl_cnn14"
    assert load_recipe("plain", ["model=arl_cnn14"]).model.backbone is None
    changed = load_recipe("demo", ["model.backbone=resnet18", "model.attention=arl"]).model
    assert (changed.name, changed.backbone, changed.attention) == (None, "resnet18", "arl")
    assert changed.input_size == (112, 112)


def test_one_text_in_place_of_a_list_is_said() -> None:
    with pytest.raises(RecipeError, match="give a list"):
        load_recipe("demo", "train.epochs=3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.epoch=3"], "unknown key 'train.epoch': did you mean 'train.epochs'"),
        (["trian.epochs=3"], "unknown key 'trian': did you mean 'train'"),
        (["train.lr=fast"], r"train.lr: .*number.* \(came: 'fast'\)"),
        (["train.epochs=0"], "train.epochs: .*greater than or equal to 1"),
        (
            ["train.class_repeats={melanoma: 0}"],
            r"train\.class_repeats\.melanoma: .*greater than or equal to 1 \(came: 0\)",
        ),
        (["train.class_weights={melanoma: -5}"], r"train\.class_weights\.melanoma: .*greater than 0"),
        (["crops.test=five"], "crops.test: .*'full', 'center-square'"),
        (["model.backbone=resnet18", "model.name=resnet14"], "either name"),
        (["data.classes=a,b"], r"data.classes: a list is wanted, written \[a,b\] \(came: 'a,b'\)"),
        (["data.val_fraction=0.6", "data.test_fraction=0.5"], "leave nothing to train on"),
        (["epochs"], "no override; write section.key=value"),
        (["train.lr=[1"], "cannot be read"),
        (["train.lr.high=1"], "lr is 0.001 in the recipe, no table into which 'train.lr.high=1' could go"),
        (["base=plain"], "a base stands in a file"),
    ],
)
def test_says_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("demo", words)


def test_says_everything_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", ["train.epoch=3", "train.lr=-1", "model.kwargs=3"])
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(("name", "message"), [("dmeo", "did you mean 'demo'"), ("none.yaml", "cannot read")])
def test_a_recipe_that_does_not_exist(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [1\n"])
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"cannot read|must be a YAML mapping"):
        load_recipe(str(tmp_path / "r.yaml"))


def test_the_recipes_page_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    tree = load_recipe("demo").model_dump()
    keys = {*tree, *(key for section in tree.values() if isinstance(section, dict) for key in section)}
    assert {key for key in keys if f"`{key}`" not in page and f"## {key}" not in page} == set()


def test_a_folder_in_the_place_of_a_kind_of_store_is_sent_to_its_key() -> None:
    with pytest.raises(
        RecipeError, match=r"data\.cache: '/my/store' is no way.*belongs into data\.cache_dir"
    ):
        load_recipe("plain", ["data=ham10000:/d", "model.backbone=resnet18", "data.cache=/my/store"])


@pytest.mark.parametrize(
    "word",
    ["train.num_workers=-1", "train.num_workers=many", "train.num_threads=0", "train.num_threads=null"],
)
def test_counts_are_auto_or_numbers(word: str) -> None:
    key = word.partition("=")[0].replace(".", r"\.")
    with pytest.raises(RecipeError, match=rf"{key}: give auto, or a whole number from [01] \(came: .*\)$"):
        load_recipe("plain", ["data=ham10000:/d", "model.backbone=resnet18", word])


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
    write(
        tmp_path / "low",
        a="base: b.yaml\nnum_repeats: 2\n",
        b="base: plain\nnum_repeats: 9\ntrain: {seed: 4}\n",
    )
    recipe = load_recipe(write(tmp_path, top="base: low/a.yaml\ntrain: {epochs: 2}\n"))
    assert (recipe.num_repeats, recipe.train.seed, recipe.train.epochs) == (2, 4, 2)
    assert recipe.model.backbone == load_recipe("plain").model.backbone


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"train": {"a": 1, "b": 2}}, {"train": {"b": 3}}, {"train": {"a": 1, "b": 3}}),
        ({"model": {"mean": [1, 2, 3]}}, {"model": {"mean": [0]}}, {"model": {"mean": [0]}}),
        ({"model": {"kwargs": {"x": 1}}}, {"model": {"kwargs": {"y": 2}}}, {"model": {"kwargs": {"x": 1, "y": 2}}}),
        ({"model": {"name": "a", "mean": 1}}, {"model": {"backbone": "b"}}, {"model": {"mean": 1, "backbone": "b"}}),
        ({"model": {"backbone": "b", "attention": "c"}}, {"model": "a"}, {"model": {"name": "a"}}),
        ({"model": {"name": "a"}}, {"model": {"input_size": 9}}, {"model": {"name": "a", "input_size": 9}}),
        ({"data": "n:/r"}, {"data": {"task": "t"}}, {"data": {"source": "n:/r", "task": "t"}}),
        ({"augment": {"preset": "arl", "scale": 1}}, {"augment": "none"}, {"augment": {"preset": "none"}}),
        ({"augment": "arl"}, {"augment": {"scale": 1}}, {"augment": {"preset": "arl", "scale": 1}}),
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
        ({"a": "base: b.yaml", "b": "words"}, "the recipe .*b.yaml must be a YAML mapping"),
        ({"a": "base: [plain, demo]"}, r"base: \['plain', 'demo'\] in the recipe .*; give the name or the file"),
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
    of_papers = [name for name in (*builtin_recipes(), *row_recipe_names()) if "/" in name]
    assert len(of_papers) > 100
    assert {load_recipe(name).train.precision for name in of_papers} == {"fp32"}


def test_shipped_recipes_are_found_in_every_folder() -> None:
    assert {"demo", "plain", "arl/cnn50"} < set(builtin_recipes())
    assert all(file.name.endswith(".yaml") for file in builtin_recipes().values())
