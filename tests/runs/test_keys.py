"""Reference of the recipe keys: complete descriptions, types, defaults, page and command."""

from collections.abc import Iterator

from pydantic import BaseModel
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.runs.keys import RecipeKey, recipe_keys, recipe_keys_page
from lesionlens.runs.load import load_recipe


def keys_by_name() -> dict[str, RecipeKey]:
    return {key.full_name: key for key in recipe_keys()}


def value_names(section: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the full names of all values in a section and its subsections."""
    for name, value in section:
        if isinstance(value, BaseModel):
            yield from value_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_key_has_a_description() -> None:
    assert [name for name, key in keys_by_name().items() if not key.description.endswith(".")] == []


def test_every_key_of_a_recipe_is_listed() -> None:
    assert set(keys_by_name()) == set(value_names(load_recipe("demo")))


def test_types_and_defaults() -> None:
    keys = keys_by_name()
    assert keys["data.source"][2:4] == ("text", "required")
    assert keys["train.epochs"][2:4] == ("integer ≥ 1, ≤ 1,000,000", "30")
    assert keys["train.early_stopping.patience"][2:4] == ("integer ≥ 1; null", "null")
    assert keys["train.lr_scheduler.name"][2:4] == ("`constant`, `step`, `cosine`", "constant")
    assert keys["crops.test.count"][2:4] == ("integer ≥ 1, ≤ 1,000", "1")
    assert keys["train.num_workers"][2:4] == ("`auto`; integer ≥ 0, ≤ 1,024", "auto")
    assert keys["train.precision"][2:4] == ("`auto`, `fp32`, `bf16`", "auto")


def test_page_lists_all_keys_by_section() -> None:
    page = recipe_keys_page()
    assert "## train\n" in page
    assert "| `lr_scheduler.gamma` | number > 0, ≤ 1 | `0.5` |" in page
    assert all(f"| `{key.name}` | {key.allowed} |" in page for key in recipe_keys())


def test_command_prints_all_keys() -> None:
    output = CliRunner().invoke(app, ["recipes", "--keys"], env={"COLUMNS": "80"}).output
    assert "train.epochs: integer ≥ 1, ≤ 1,000,000 (default: 30)\n    Number of epochs.\n" in output
    assert "[Attention priors]" not in output
    assert max(map(len, output.splitlines())) <= 80
