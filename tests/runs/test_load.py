"""Loading of recipes: built-in recipes, overrides, bases, and error messages."""

import json
from pathlib import Path

import pytest
import yaml

from lesionlens.core.errors import RecipeError
from lesionlens.runs.load import load_recipe, merge, read_raw
from lesionlens.runs.recipe_files import builtin_recipes
from lesionlens.runs.run_dir import create_run_dir, write_recipe
from lesionlens.runs.schema import Recipe
from lesionlens.runs.table_rows import row_recipe_names


@pytest.mark.parametrize("name", sorted(builtin_recipes()))
def test_built_in_recipes_are_valid_and_complete(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    run_dir = create_run_dir("run", out=tmp_path / "run")
    write_recipe(run_dir, recipe)
    assert load_recipe(str(run_dir.recipe)) == recipe
    assert set(yaml.safe_load(run_dir.recipe.read_text())) == set(Recipe.model_fields)  # and no base


def test_arl_recipe_follows_the_paper() -> None:
    recipe = load_recipe("arl/cnn50")
    assert (recipe.train.lr, recipe.train.batch_size, recipe.train.epochs) == (0.0001, 32, 100)
    scheduler, crops = recipe.train.lr_scheduler, recipe.crops
    assert (scheduler.name, scheduler.step_size, scheduler.gamma) == ("step", 30, 0.5)
    assert (crops.train.strategy, crops.train.count, crops.test.count) == ("multi-scale", 60, 9)
    assert recipe.augment.preset == "arl"
    assert load_recipe("arl/cnn14").train.lr == 0.01


def test_overrides_replace_values() -> None:
    overrides = [
        "data=isic2017:/x",
        "data.task=melanoma",
        "model.input_size=96",
        "train.lr=1e-3",
        "train.early_stopping.patience=null",
    ]
    recipe = load_recipe("demo", overrides)
    assert (recipe.data.source, recipe.data.task) == ("isic2017:/x", "melanoma")
    assert recipe.data.max_short_side == 160  # the rest of the section stays
    assert recipe.model.input_size == (96, 96)
    assert recipe.train.lr == 0.001


def test_overrides_reach_nested_sections() -> None:
    overrides = ["train.lr_scheduler.gamma=0.1", "crops.train.count=4", "train.early_stopping.min_delta=0.01"]
    recipe, base = load_recipe("arl/cnn14", overrides), load_recipe("arl/cnn14")
    assert recipe.train.lr_scheduler == base.train.lr_scheduler.model_copy(update={"gamma": 0.1})
    assert recipe.train.early_stopping == base.train.early_stopping.model_copy(update={"min_delta": 0.01})
    assert recipe.crops.train == base.crops.train.model_copy(update={"count": 4})
    assert recipe.crops.test == base.crops.test


def test_override_with_a_mapping_replaces_the_section() -> None:
    crops = load_recipe("arl/cnn14", ["crops.train={strategy: full}"]).crops
    assert (crops.train.strategy, crops.train.count, crops.test.count) == ("full", 1, 9)


def test_shorthand_section_accepts_further_keys(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: isic2017:/x\nmodel: resnet14\n")
    recipe = load_recipe(str(tmp_path / "r.yaml"), ["data.task=melanoma", "model.input_size=64"])
    assert (recipe.data.source, recipe.data.task, recipe.model.name) == (
        "isic2017:/x",
        "melanoma",
        "resnet14",
    )


def test_override_of_the_model_replaces_it() -> None:
    assert load_recipe("plain", ["model=arl_cnn14"]).model.name == "arl_cnn14"
    assert load_recipe("plain", ["model=arl_cnn14"]).model.backbone is None
    changed = load_recipe("demo", ["model.backbone=resnet18", "model.attention=arl"]).model
    assert (changed.name, changed.backbone, changed.attention) == (None, "resnet18", "arl")
    assert changed.input_size == (112, 112)


WORDS = [
    "ham10000:set #2", "a: b", "yes", "no", "on", "off", "true", "null", "~", "1", "0123", "1e5", "1_000", "12:30:15",
    "2020-01-01", "0x1F", "@x", "*x", "&x", "!x", "%x", "|x", ">x", "- x", "? x", "[x", "{x", "it's", '"x', "x #", "#x",
    " x ", "x,y", "C:\\new\\table", "naïve 😀", "x\ty",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_text_arrives_as_it_was_typed(word: str) -> None:
    recipe = load_recipe("plain", [f"data={word}", f"data.task={word}", f"model.weights={word}"])
    assert (recipe.data.source, recipe.data.task, recipe.model.weights) == (word, word, word)


LIST_WORDS = [
    word
    for word in WORDS
    if not set(word) & set(",[{") and ": " not in word and word[0] not in "\"'" and word == word.strip()
]


@pytest.mark.parametrize("word", LIST_WORDS)
def test_words_of_lists_and_mappings_are_text(word: str) -> None:
    overrides = [f"data.classes=[{word}, other]", f'train.class_weights={{{word}: 2, "x, y": 1e-1}}']
    recipe = load_recipe("plain", overrides)
    assert recipe.data.classes == (word, "other")
    assert recipe.train.class_weights == {word: 2.0, "x, y": 0.1}


@pytest.mark.parametrize("word", [*WORDS, "\x85", "a\n", "a\r\nb", "\u2028", "a\u2029b"])
def test_text_of_a_recipe_survives_its_file(word: str, tmp_path: Path) -> None:
    recipe = load_recipe(
        "plain",
        [
            f"data={word}",
            f"data.classes={json.dumps([word, 'a'])}",
            f"model.kwargs={json.dumps({'x': word})}",
        ],
    )
    assert recipe.data.classes == (word, "a")
    assert recipe.model.kwargs == {"x": word}
    write_recipe(run_dir := create_run_dir("run", out=tmp_path / "run"), recipe)
    assert load_recipe(str(run_dir.recipe)) == recipe


@pytest.mark.parametrize("word", ["no", "1", "0123", "1e5", "2020-01-01", "12:30", "1_000"])
def test_words_of_recipe_files_are_typed_by_their_key(word: str, tmp_path: Path) -> None:
    text = f"base: plain\ndata: {{classes: [{word}, yes], task: {word}}}\ntrain: {{class_repeats: {{{word}: 2}}}}\n"
    recipe = load_recipe(write(tmp_path, mine=text))
    assert (recipe.data.classes, recipe.data.task) == ((word, "yes"), word)
    assert recipe.train.class_repeats == {word: 2}


def test_other_values_are_typed_by_their_key() -> None:
    overrides = [
        "train.lr=1e-5", "train.epochs=007", "train.nesterov=yes", "data.hair_removal=on", "train.compile=off",
        "data.max_short_side=null", "data.mask_dir=~", "model.attention=none", "model.mean=[.5, 0.5, 1.]",
        "model.std=[1,1,1]", "model.kwargs={a: 1e5, b: no, c: 010, d: null, e: true, f: [1, x]}", "model.kwargs.g=1.0",
    ]  # fmt: skip
    recipe = load_recipe("plain", overrides)
    train, data, model = recipe.train, recipe.data, recipe.model
    assert (train.lr, train.epochs, train.nesterov, train.compile) == (1e-5, 7, True, "off")
    assert (data.hair_removal, data.max_short_side, data.mask_dir) == (True, None, None)
    assert (model.attention, model.mean) == ("none", (0.5, 0.5, 1.0))
    assert model.kwargs == {
        "a": 1e5, "b": "no", "c": "010", "d": None, "e": True, "f": [1, "x"], "g": 1.0
    }  # fmt: skip


def test_quotes_around_text_are_removed() -> None:
    recipe = load_recipe(
        "plain", ["data.mask_dir='null'", 'data.task="a b"', "data.classes=['null', \"a,b\"]"]
    )
    assert (recipe.data.mask_dir, recipe.data.task, recipe.data.classes) == ("null", "a b", ("null", "a,b"))


def test_overrides_must_be_a_list() -> None:
    with pytest.raises(RecipeError, match="pass a list"):
        load_recipe("demo", "train.epochs=3")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.epoch=3"], "unknown key 'train.epoch': did you mean 'train.epochs'"),
        (["trian.epochs=3"], "unknown key 'trian': did you mean 'train'"),
        (["train.lr=fast"], r"train.lr: .*number.* \(got 'fast'\)"),
        (["train.epochs=0"], "train.epochs: .*greater than or equal to 1"),
        (
            ["train.class_repeats={melanoma: 0}"],
            r"train\.class_repeats\.melanoma: .*greater than or equal to 1 \(got 0\)",
        ),
        (["train.class_weights={melanoma: -5}"], r"train\.class_weights\.melanoma: .*greater than 0"),
        (["crops.test.strategy=five"], "crops.test.strategy: .*'full', 'center-square'"),
        (["crops.train.cuont=4"], "unknown key 'crops.train.cuont': did you mean 'crops.train.count'"),
        (
            ["train.lr_scheduler.gama=0.1"],
            r"unknown key 'train\.lr_scheduler\.gama': did you mean 'train\.lr_scheduler\.gamma'\? Allowed: "
            r"train\.lr_scheduler\.first_step, .*\.step_size$",
        ),
        (
            ["train.lr_shceduler.gamma=0.1"],
            "unknown key 'train.lr_shceduler': did you mean 'train.lr_scheduler",
        ),
        (["crops.trian.count=4"], "unknown key 'crops.trian': did you mean 'crops.train'"),
        (["train.patience=5"], "unknown key 'train.patience': did you mean 'train.early_stopping.patience'"),
        (["crops.train_count=4"], "unknown key 'crops.train_count': did you mean 'crops.train.count'"),
        (["train.lr_scheduler.gamma=2"], r"train\.lr_scheduler\.gamma: .*less than or equal to 1 \(got 2\)"),
        (
            ["crops.train=grid"],
            r"crops\.train is a section, not a value \(got 'grid'\)\. Allowed keys: crops\.train\.count, "
            r"crops\.train\.resample, "
            r"crops\.train\.strategy$",
        ),
        (["train.early_stopping=null"], r"train\.early_stopping is a section, not a value \(got 'null'\)"),
        (["model.backbone=resnet18", "model.name=resnet14"], "either name"),
        (["data.classes=a,b"], r"data.classes: expected a list, \[a,b\], got 'a,b'"),
        (["data.val_fraction=0.6", "data.test_fraction=0.5"], "must sum to less than 1"),
        (["train.mixup=0.2", "attention_prior.target=lesion"], "masks do not fit any more"),
        (["train.label_smoothing=0.1", "train.loss=focal"], "requires loss=cross_entropy"),
        (["epochs"], "not an override; use section.key=value"),
        (["train.lr=[1"], r"the value of 'train.lr=\[1' cannot be read: a closing \] is missing"),
        (["model.kwargs={a: [1}"], r"a comma or \] is missing before '\}'|a closing \] is missing"),
        (["model.kwargs={a}"], "'a' has no key"),
        (["model.kwargs={a: 1, a: 2}"], "the key 'a' is given twice"),
        (["data.classes=[a,,b]"], "an item of the list is empty"),
        (["data.classes=[a] b"], r"unexpected text after '\[a\]': 'b'"),
        (["data.classes=" + "[" * 5000], "more than 10 nested brackets"),
        (["train.epochs=" + "9" * 5000], r"train\.epochs: .*\(got '9{199}…\)"),
        (["train.epochs=true"], r"train\.epochs: .*integer.*\(got 'true'\)"),
        (["train.epochs=1:30"], r"train\.epochs: .*integer.*\(got '1:30'\)"),
        (["train.lr=nan"], r"train\.lr: .*(finite|number)"),
        (["train.lr=1e999"], r"train\.lr: .*finite"),
        (["model.input_size=0"], r"model\.input_size.*greater than or equal to 1"),
        (["train.seed=99999999999999999999"], r"train\.seed: .*less than or equal to"),
        (["data.hair_removal=maybe"], r"data\.hair_removal: expected true or false \(got 'maybe'\)"),
        (
            ["train.lr.high=1"],
            "cannot apply 'train.lr.high=1': train.lr is '0.001' in the recipe, not a mapping",
        ),
        (["base=plain"], "a base can only be set in a file"),
    ],
)
def test_error_messages(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("demo", overrides)


def test_all_errors_are_listed_together() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", ["train.epoch=3", "train.lr=-1", "model.kwargs=3"])
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmeo", r"unknown recipe 'dmeo': did you mean 'demo'\? List all"),
        ("t.csv", r"unknown recipe 't\.csv'\. List all"),
        ("none.yaml", "cannot read"),
    ],
)
def test_unknown_recipe(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name)


@pytest.mark.parametrize(("encoding", "position"), [("latin-1", 7), ("utf-16", 0)])
def test_recipe_that_is_not_utf8_names_the_byte(tmp_path: Path, encoding: str, position: int) -> None:
    (tmp_path / "r.yaml").write_text("data: dé\n", encoding=encoding)
    with pytest.raises(RecipeError, match=rf"r\.yaml: byte {position} is not UTF-8; save it as UTF-8"):
        load_recipe(str(tmp_path / "r.yaml"))


BOMB = "\n".join(
    ["a0: &a0 [x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochs: 3}\ntrain: {lr: 1}\n", "line 2: the key 'train' is given twice"),
        ("train:\n  epochs: 3\n  'epochs': 4\n", "line 3: the key 'epochs' is given twice"),
        ("train: {1: 3, 1: 4}\n", "the key '1' is given twice"),
        (BOMB, "more than 50,000 values"),
        ("a: " + "[" * 5000, "more than 20 nested"),
        ("a: " + "{b: " * 5000, "more than 20 nested"),
        ("a: &a [*a]\n", "alias \\*a has no finished anchor"),
        ("a: *b\n", "alias \\*b has no"),
        ("a: !!python/name:os.system x\n", "tag .*python/name:os.system is not allowed"),
        ("a: !!int 3\n", "tag .*int is not allowed"),
        ("a: 1\n---\nb: 2\n", "line 2: it has several documents"),
        ("[a, b]: 1\n", "a key is a list"),
        ("a: [1\n", "line 2, column 1: "),
        ("a: @x\n", "line 1, column 4: found character '@'"),
        ("a: \x00\n", "special characters are not allowed"),
    ],
)
def test_unusable_yaml_ends_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(write(tmp_path, a=text))
    assert len(str(caught.value).splitlines()) == 1


def test_aliases_are_copied(tmp_path: Path) -> None:
    text = "base: arl/cnn14\ncrops: {train: &c {strategy: full, count: 1}, test: *c}\n"
    crops = load_recipe(write(tmp_path, a=text), ["crops.train.count=3"]).crops
    assert (crops.train.count, crops.test.count) == (3, 1)


def test_digits_of_any_length_end_in_one_line(tmp_path: Path) -> None:
    name = write(
        tmp_path, a=f"base: plain\ntrain: {{epochs: {'9' * 5000}}}\nmodel: {{kwargs: {{x: {'9' * 5000}}}}}\n"
    )
    with pytest.raises(RecipeError, match=r"^recipe .*\n  train\.epochs: .*") as caught:
        load_recipe(name)
    assert len(str(caught.value).splitlines()) == 2


def test_section_without_keys_keeps_its_defaults(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, a="base: plain\ncrops:\n")) == load_recipe("plain")


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [1\n"])
def test_file_is_not_a_recipe(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"cannot read|must be a YAML mapping"):
        load_recipe(str(tmp_path / "r.yaml"))


def test_directory_as_cache_format_names_the_right_key() -> None:
    with pytest.raises(
        RecipeError,
        match=r"data\.cache: '/my/cache' is not a cache format.*Set a directory with data\.cache_dir",
    ):
        load_recipe("plain", ["data=ham10000:/d", "model.backbone=resnet18", "data.cache=/my/cache"])


@pytest.mark.parametrize(
    "override",
    ["train.num_workers=-1", "train.num_workers=many", "train.num_threads=0", "train.num_threads=null"],
)
def test_counts_are_auto_or_integers(override: str) -> None:
    key = override.partition("=")[0].replace(".", r"\.")
    with pytest.raises(RecipeError, match=rf"{key}: use auto, or an integer from [01] to 1024 \(got .*\)$"):
        load_recipe("plain", ["data=ham10000:/d", "model.backbone=resnet18", override])


def write(directory: Path, **files: str) -> str:
    """Write recipe files and return the path of the first."""
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    return str(directory / f"{next(iter(files))}.yaml")


def test_file_extends_a_built_in_recipe(tmp_path: Path) -> None:
    name = write(tmp_path, mine="base: arl/cnn14\ntrain: {epochs: 3}\ndata: isic2017:/x\n")
    extended, base = load_recipe(name, ["train.lr=0.5"]), load_recipe("arl/cnn14")
    assert extended.data == base.data.model_copy(update={"source": "isic2017:/x"})
    assert extended.train == base.train.model_copy(update={"epochs": 3, "lr": 0.5})
    assert (extended.model, extended.crops, extended.augment) == (base.model, base.crops, base.augment)


def test_nested_sections_of_bases_are_merged(tmp_path: Path) -> None:
    name = write(
        tmp_path,
        top="base: low.yaml\ntrain: {lr_scheduler: {first_step: 7}}\n",
        low="base: arl/cnn14\ntrain: {lr_scheduler: {gamma: 0.1}}\ncrops: {train: {count: 2}}\n",
    )
    top, base = load_recipe(name), load_recipe("arl/cnn14")
    assert top.train.lr_scheduler.model_dump() == {
        "name": "step", "step_size": 30, "gamma": 0.1, "first_step": 7
    }  # fmt: skip
    assert (top.crops.train.strategy, top.crops.train.count) == ("multi-scale", 2)
    assert (top.crops.test, top.train.early_stopping) == (base.crops.test, base.train.early_stopping)


def test_bases_are_relative_to_their_file(tmp_path: Path) -> None:
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
        ({"train": {"lr": 3}}, {"train": {"lr": None}}, {"train": {"lr": None}}),
        ({"crops": {"train": {"count": 1, "x": 2}}}, {"crops": {"train": {"count": 3}, "tta": "flips"}},
         {"crops": {"train": {"count": 3, "x": 2}, "tta": "flips"}}),
    ],
)  # fmt: skip
def test_mappings_are_merged_and_values_replaced(
    base: dict[str, object], over: dict[str, object], expected: dict[str, object]
) -> None:
    assert merge(base, over) == expected


def test_merging_does_not_change_the_base() -> None:
    base = {"train": {"a": 1}}
    merge(base, {"train": {"a": 2}})
    assert base == {"train": {"a": 1}}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": "base: arl/cnn41"}, "unknown base of the recipe .*a.yaml: 'arl/cnn41': did you mean 'arl/cnn14'"),
        ({"a": "base: b.yaml", "b": "base: a.yaml"}, "bases of each other: .*a.yaml → .*b.yaml → .*a.yaml; remove one"),
        ({"a": "base: a.yaml"}, "bases of each other"),
        ({"a": "base: b.yaml"}, "cannot read the recipe .*b.yaml: No such file"),
        ({"a": "base: b.yaml", "b": "words"}, "the recipe .*b.yaml must be a YAML mapping"),
        ({"a": "base: [plain, demo]"}, r"base: \['plain', 'demo'\] in the recipe .*a.yaml is not a string"),
    ],
)  # fmt: skip
def test_invalid_bases(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_raw(write(tmp_path, **files))


def test_invalid_key_in_a_base(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'train.epoch': did you mean 'train.epochs'"):
        load_recipe(write(tmp_path, a="base: b.yaml", b="base: demo\ntrain: {epoch: 3}"))


def test_recipes_paper_recipes_train_in_fp32() -> None:
    """With ``auto``, rows of a table would depend on the machine that trained them."""
    paper_recipes = [name for name in (*builtin_recipes(), *row_recipe_names()) if "/" in name]
    assert len(paper_recipes) > 100
    assert {load_recipe(name).train.precision for name in paper_recipes} == {"fp32"}


def test_built_in_recipes_are_found_in_all_directories() -> None:
    assert {"demo", "plain", "arl/cnn50"} < set(builtin_recipes())
    assert all(file.name.endswith(".yaml") for file in builtin_recipes().values())
