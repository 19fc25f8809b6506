"""Tests of the catalog: tables by name, author, pattern or file, their recipes, and messages on invalid files."""

from collections import Counter
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from lesionlens.core.errors import LesionLensError, RecipeError
from lesionlens.datasets.registry import DATASETS
from lesionlens.datasets.splits.factory import SPLIT_NAMES
from lesionlens.reproduction.catalog import (
    PAPERS,
    RowRecipe,
    list_row_recipes,
    list_tables,
    load_table_spec,
    match_tables,
)
from lesionlens.runs.load import load_recipe
from lesionlens.runs.recipe_files import builtin_recipes
from lesionlens.runs.schema import Recipe
from lesionlens.training.resolve import resolve

TABLES = {
    "arl": "table3 table4 table5 table6 table7 section5f fig5 fig6 fig7 fig8 fig9 fig10",
    "attnmel": "table3.1 table3.2 table3.3 table3.4 fig3.1 fig3.2-2016 fig3.2-2017 fig3.3 fig3.4 fig3.5",
    "patch": "table1 table2 table3 table4 table5 table6 fig4 fig5",
    "soft": "table1 table2 table3 table4 fig7 fig9",
}
ALL = [f"{paper}/{name}" for paper, line in TABLES.items() for name in line.split()]

GOOD = """
paper: open
title: T
caption: C
source: S
dataset: isic2017
columns: [{name: AUC, metric: auc, class: melanoma}]
rows: [{name: one, recipe: demo}]
"""


def written(folder: Path, text: str) -> str:
    (folder / "mine.yaml").write_text(text)
    return str(folder / "mine.yaml")


def test_tables_come_before_figures_in_the_papers_order() -> None:
    assert [name for name in list_tables() if name.partition("/")[0] in PAPERS] == ALL


def test_the_first_author_names_the_paper() -> None:
    for author, paper in {"zhang": "arl", "Yan": "attnmel", "gessert": "patch", "datta": "soft"}.items():
        first = next(name for name in ALL if name.startswith(paper))
        assert load_table_spec(first.replace(paper, author)) == load_table_spec(first)


def test_find_tables_by_paper_pattern_name_and_file() -> None:
    assert match_tables([]) == list_tables()
    assert (
        match_tables(["datta"])
        == match_tables(["soft"])
        == [name for name in ALL if name.startswith("soft/")]
    )
    assert match_tables(["arl/fig*"]) == [
        "arl/fig5",
        "arl/fig6",
        "arl/fig7",
        "arl/fig8",
        "arl/fig9",
        "arl/fig10",
    ]
    assert match_tables(["patch/table2", "gessert/table[23]", "my.yaml"]) == [
        "patch/table2",
        "patch/table3",
        "my.yaml",
    ]


@pytest.mark.parametrize("function", [load_table_spec, lambda name: match_tables([name])])
def test_unknown_name_suggests_the_nearest(function) -> None:
    with pytest.raises(LesionLensError, match=r"did you mean .*/table2.*path of a \.yaml file"):
        function("gessert/tabel2")


def test_custom_file_is_read(tmp_path: Path) -> None:
    assert load_table_spec(written(tmp_path, GOOD)).row("one").recipe == "demo"
    with pytest.raises(LesionLensError, match=r"cannot read the table none\.yaml: No such file"):
        load_table_spec("none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: T\n", "", r"title is missing"),
        ("title: T", "titel: T", r"titel: unknown key 'titel': did you mean 'title'"),
        ("recipe: demo", "recipe: [demo]", r"rows\.0\.recipe: .*string.*came: \['demo'\]"),
        ("recipe: demo", "recip: demo", r"rows\.0\.recip: unknown key 'recip': did you mean 'recipe'"),
        ("class: melanoma", "clas: melanoma", r"columns\.0\.clas: unknown key 'clas': did you mean 'class'"),
        ("recipe: demo", "published: {AUC: 0.9}", r"rows\.0: the row one: set either recipe, reason_not_run or counts"),
        ("recipe: demo", "recipe: demo, published: {AUK: 1}", r"unknown column 'AUK': did you mean 'AUC'"),
        ("metric: auc, class: melanoma", "mean_of: [AUC]", r"unknown other column 'AUC'"),
        ("recipe: demo", "recipe: demo, published: {AUC: lost}", r"rows\.0\.published\.AUC: .*came: 'lost'"),
        ("paper: open", "paper: [", r"cannot read the table .*mine\.yaml"),
        (GOOD, "- one\n", r"must be a YAML mapping"),
    ],
)  # fmt: skip
def test_errors_in_a_file_name_the_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(LesionLensError, match=expected) as caught:
        load_table_spec(written(tmp_path, GOOD.replace(old, new)))
    assert "mine.yaml" in str(caught.value)


# number of rows with and without recipe, counted in the papers; ARL trains one network for melanoma, one for keratosis
COUNTS = {
    ("arl", "Table III"): (16, 0),
    ("arl", "Table IV"): (2, 3),
    ("arl", "Table V"): (6, 0),
    ("arl", "Table VI"): (8, 0),
    ("arl", "Table VII"): (4, 0),
    ("arl", "Section V.F"): (4, 0),
    ("attnmel", "Table 3.1"): (4, 3),
    ("attnmel", "Table 3.2"): (7, 5),
    ("attnmel", "Table 3.3"): (7, 0),
    ("attnmel", "Table 3.4"): (5, 0),
    ("patch", "Table I"): (0, 1),
    ("patch", "Table II"): (24, 0),
    ("patch", "Table III"): (18, 0),
    ("patch", "Table IV"): (9, 0),
    ("patch", "Table V"): (15, 0),
    ("patch", "Table VI"): (15, 0),
    ("soft", "Table 1"): (15, 0),
    ("soft", "Table 2"): (3, 0),
    ("soft", "Table 3"): (1, 5),
    ("soft", "Table 4"): (2, 4),
}


@cache
def resolved(name: str) -> Recipe:
    return resolve(load_recipe(name)).recipe


def test_every_row_of_every_table_is_there() -> None:
    with_one = Counter((row.paper, row.table) for row in list_row_recipes() if row.recipe)
    not_run = Counter((row.paper, row.table) for row in list_row_recipes() if row.reason_not_run)
    assert {key: (with_one[key], not_run[key]) for key in {**with_one, **not_run}} == COUNTS


def test_every_base_recipe_is_extended() -> None:
    bases = {yaml.safe_load(file.read_text()).get("base") for file in builtin_recipes().values()}
    tables = map(load_table_spec, list_tables())
    used = {row.recipe for table in tables for row in table.rows}
    assert set(builtin_recipes()) <= {*bases, *used, "demo", "plain"}


@pytest.mark.parametrize("paper", PAPERS)
def test_every_recipe_has_source_split_and_input_size(paper: str) -> None:
    for row in list_row_recipes(paper):
        if row.recipe:
            recipe = resolved(row.recipe)
            assert recipe.data.source.partition(":")[0] in DATASETS, row
            assert recipe.data.split in SPLIT_NAMES, row
            assert recipe.model.input_size is not None, row


def test_rows_that_are_trained_once_are_the_same_recipe() -> None:
    for name in ("patch/table3:dense121-multi-crop-9", "patch/table5:dense121-loss-weighting"):
        assert resolved(name) == resolved("patch/table2:dense121-multi-crop")
    assert resolved("patch/table6:se-rx-k-1.00") == resolved("patch/table2:se-rx-multi-crop")
    assert resolved("patch/table3:inceptv3-attention-9") == resolved(
        "patch/table2:inceptv3-initial-attention"
    )
    assert resolved("arl/table6:resnet50-without-segmentation-seborrheic-keratosis") == resolved(
        "arl/table3:resnet50-seborrheic-keratosis"
    )
    assert resolved("arl/table5:spatial-seborrheic-keratosis").model.name == "arl_cnn50"
    assert (
        resolved("soft/table3:irv2-sa") == resolved("soft/table2:split-15") == resolved("soft/table1:irv2-sa")
    )


ARL = {"train.lr": 1e-4, "train.batch_size": 32, "train.epochs": 100}
ARL |= {"train.lr_scheduler.step_size": 30, "train.lr_scheduler.gamma": 0.5}
ARL |= {
    "crops.train.strategy": "multi-scale",
    "crops.train.count": 60,
    "crops.test.count": 9,
    "augment.preset": "arl",
}
ATTNMEL = {"train.epochs": 50, "train.lr": 0.01, "train.loss": "focal"}
ATTNMEL |= {"train.lr_scheduler.step_size": 10, "train.lr_scheduler.gamma": 0.1}
ATTNMEL |= {
    "train.focal_gamma": 2,
    "crops.train.strategy": "attnmel-random",
    "augment.preset": "attnmel",
    "model.weights": "imagenet",
}
PATCH = {"data.split": "gessert2019", "n_folds": 3, "train.optimizer": "adam", "train.class_weight_power": 1}
PATCH |= {
    "train.lr_scheduler.step_size": 10,
    "train.lr_scheduler.first_step": 20,
    "augment.preset": "gessert",
    "model.normalization": "unit",
}
PATCH |= {
    "train.confirmation_weights": None,
    "train.loss_reduction": "weight_sum",
    "train.sampling": "shuffle",
}
SOFT = {
    "train.optimizer": "adam",
    "train.lr": 0.01,
    "train.eps": 0.1,
    "train.epsilon_placement": "keras",
    "augment.preset": "datta",
}
SOFT |= {"model.normalization": "unit", "train.sampling": "equal", "train.early_stopping.monitor": "val_loss"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("arl/table3:arl-cnn50-seborrheic-keratosis",
         {**ARL, "data.task": "seborrheic_keratosis", "model.weights": "imagenet"}),
        ("arl/table3:ran14-melanoma", {**ARL, "train.lr": 0.01, "model.name": "ran14", "model.weights": "none"}),
        ("arl/table5:channel-melanoma", {**ARL, "model.name": "arl_cnn50_channel", "num_repeats": 1}),
        ("arl/table6:resnet50-with-segmentation-seborrheic-keratosis",
         {**ARL, "crops.roi_margin": 0.1, "data.mask_dir": "data/isic2017-masks"}),
        ("arl/table7:arl-cnn50-ten-runs-melanoma", {**ARL, "num_repeats": 10}),
        ("arl/section5f:gray-world-seborrheic-keratosis", {**ARL, "data.color_constancy": "gray-world"}),
        ("attnmel/table3.1:mel-cnn", {**ATTNMEL, "data.source": "isic2016:data/isic2016", "train.checkpoint": "last",
                                      "train.passes_per_epoch": 1, "train.class_repeats": {"melanoma": 4},
                                      "model.mean": (0.7012, 0.5517, 0.4875)}),
        ("attnmel/table3.2:attnmel-cnn", {**ATTNMEL, "attention_prior.target": "none", "train.passes_per_epoch": 1}),
        ("attnmel/table3.2:attnmel-cnn-dermo", {**ATTNMEL, "data.task": "melanoma",
                                                "attention_prior.target": "dermoscopic"}),
        ("attnmel/table3.2:attnmel-cnn-bkg", {**ATTNMEL, "attention_prior.target": "background"}),
        ("attnmel/table3.4:attnmel-cnn-lesion-star", {**ATTNMEL, "attention_prior.target": "lesion", "n_folds": 5,
                                                      "data.task": "all", "data.mask_dir": "data/isic2018-masks",
                                                      "train.sampling": "weighted", "data.split": "image_kfold",
                                                      "model.mean": None}),
        ("patch/table2:inceptv3-dual-attention",
                                           {**PATCH, "model.name": "patch_inception_v3_dual", "train.batch_size": 5,
                                            "model.kwargs": {"patch_dropout": 0.2}, "crops.test.count": 9}),
        ("patch/table2:se-rx-single-crop", {**PATCH, "crops.train.strategy": "random-resized",
                                                  "crops.test.strategy": "gessert-center"}),
        ("patch/table3:dense121-multi-crop-16", {**PATCH, "crops.train.strategy": "random-square",
                                                  "crops.test.count": 16}),
        ("patch/table3:inceptv3-attention-5", {**PATCH, "train.lr": 2.083e-5, "crops.train.count": 5,
                                                   "model.kwargs": {"patch_dropout": 0.1}}),
        ("patch/table4:dense121-gru", {**PATCH, "data.source": "derm7pt:data/derm7pt", "data.split": "official",
                                          "n_folds": None, "train.checkpoint": "last",
                                          "crops.train.strategy": "grid-600x450", "crops.test.count": 9,
                                          "data.val_fraction": 0, "data.max_short_side": None,
                                          "data.checkpoint_split": "test"}),
        ("patch/table5:dense121-oversampling", {**PATCH, "train.class_weight_power": None,
                                                   "train.sampling": "oversample"}),
        ("patch/table5:dense121-balanced-batches", {**PATCH, "train.class_weight_power": None,
                                                       "train.sampling": "balanced", "train.batch_size": 7 * 6}),
        ("patch/table5:dense121-diag.-weighting", {**PATCH, "train.confirmation_weights": "benign",
                                                          "train.loss_reduction": "batch_size"}),
        ("patch/table6:dense121-k-1.25", {**PATCH, "train.class_weight_power": 1.25}),
        ("soft/table1:densenet201", {**SOFT, "model.name": "densenet201", "train.epochs": 150,
                                     "train.early_stopping.patience": 35}),
        ("soft/table1:vgg16-sa", {**SOFT, "model.name": "soft_vgg16", "train.epochs": 300,
                                 "train.early_stopping.patience": 65}),
        ("soft/table1:irv2-sa", {**SOFT, "model.input_size": (299, 299), "train.epochs": 150,
                                 "train.early_stopping.patience": 30}),
        ("soft/table2:split-30", {**SOFT, "data.split": "datta2021", "data.test_fraction": 0.3}),
        ("soft/table4:irv2-12x12-sa", {**SOFT, "data.task": "nevus/seborrheic_keratosis", "data.split": "official"}),
    ],
)  # fmt: skip
def test_recipes_follow_the_papers(name: str, expected: dict[str, Any]) -> None:
    tree = resolved(name).model_dump()
    assert {key: reduce(getitem, key.split("."), tree) for key in expected} == expected


def test_the_exponents_of_table_vi_are_all_there() -> None:
    named = [
        row.recipe
        for row in list_row_recipes("patch")
        if row.table == "Table VI" and row.row.startswith("SE-RX")
    ]
    assert [resolved(name).train.class_weight_power for name in named] == [0.5, 0.75, 1, 1.25, 1.5]


def test_unknown_paper_raises() -> None:
    assert {row.paper for row in list_row_recipes("soft")} == {"soft"}
    assert isinstance(list_row_recipes()[0], RowRecipe)
    with pytest.raises(RecipeError, match="unknown paper 'pach': did you mean 'patch'"):
        list_row_recipes("pach")


def test_the_recipes_page_counts_them() -> None:
    page = Path(__file__).parents[2] / "docs" / "recipes.md"
    assert (
        f"lists {len({row.recipe for row in list_row_recipes() if row.recipe})} recipes" in page.read_text()
    )
