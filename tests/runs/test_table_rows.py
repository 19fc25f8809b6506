"""Tests of the recipes that the rows of tables define."""

from pathlib import Path

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.runs.load import load_recipe
from lesionlens.runs.table_rows import row_recipe_names

TABLE = """
variants:
  A: {title: Task A, overrides: train.epochs=3}
  B: {title: Task B}
rows:
  - {name: "My row, 1", recipe: base.yaml, overrides: [model=resnet14, train.lr=0.5], note: other keys are skipped}
  - {name: shared, id: twin, recipe: "mine.yaml:my-row-1", overrides: train.lr=0.25}
  - {name: quoted, reason_not_run: quoted}
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "base.yaml").write_text("base: plain\ntrain: {epochs: 9}\n")
    (tmp_path / "mine.yaml").write_text(TABLE)
    return str(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("row", "epochs", "lr"),
    [
        ("my-row-1-task-a", 3, 0.5),
        ("my-row-1-task-b", 9, 0.5),
        ("my-row-1", 9, 0.5),
        ("twin-task-a", 3, 0.25),
    ],
)
def test_row_of_a_table_file(table: str, row: str, epochs: int, lr: float) -> None:
    recipe = load_recipe(f"{table}:{row}")
    assert (recipe.train.epochs, recipe.train.lr, recipe.model.name) == (epochs, lr, "resnet14")
    assert recipe.model.backbone is None  # replaced by the name


def test_overrides_apply_on_top_of_a_row() -> None:
    recipe = load_recipe("arl/table5:channel-melanoma", ["model.backbone=resnet18", "train.epochs=2"])
    assert (recipe.model.name, recipe.model.backbone, recipe.train.epochs) == (None, "resnet18", 2)
    assert recipe.crops == load_recipe("arl/cnn50").crops


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("arl/table5:spatial-melanom", "did you mean 'arl/table5:spatial-melanoma'"),
        ("arl/table55:spatial-melanoma", "unknown recipe 'arl/table55:spatial-melanoma': did you mean"),
        ("none.yaml:row", "cannot read the table none.yaml: No such file"),
    ],
)
def test_unknown_row(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name)


@pytest.mark.parametrize("rows", ["rows: [{recipe: plain}]", "rows: [3]", "variants: {A: 3}"])
def test_table_without_valid_rows(tmp_path: Path, rows: str) -> None:
    (tmp_path / "bad.yaml").write_text(rows)
    with pytest.raises(RecipeError, match=r"cannot read the rows of the table .*bad\.yaml"):
        load_recipe(f"{tmp_path / 'bad.yaml'}:row")


def test_row_recipe_names_are_distinct() -> None:
    names = row_recipe_names()
    assert len(names) == len(set(names))
    assert {"arl/table5:spatial-melanoma", "arl/table3:resnet50", "open/prior-type:lesion"} < set(names)
