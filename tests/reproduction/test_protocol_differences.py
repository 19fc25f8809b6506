"""Whatever differs from the paper's protocol is named: every recipe key, the device's defaults, and missing images."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from rich.console import Console

from lesionlens.datasets.registry import load_table
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.planner import ReproductionOptions, TablePlan, make_plan
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.reproduction.protocol_differences import (
    MACHINE_KEYS,
    dataset_differences,
    merge_differences,
    recipe_differences,
    run_differences,
)
from lesionlens.reproduction.reproduce import plan_reproduction
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import write_recipe
from lesionlens.runs.schema import Recipe

from ..helpers import tiny_datasets

PAPER = load_recipe("attnmel/table3.2:attnmel-cnn", ["train.precision=fp32"])


def keys_of(section: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        yield from keys_of(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [f"{prefix}{name}"]


def with_value(section: Any, key: str, value: object) -> Any:
    """Return a copy of a recipe with another value, valid or not, of a key."""
    name, _, rest = key.partition(".")
    new = with_value(getattr(section, name), rest, value) if rest else value
    return section.model_copy(update={name: new})


@pytest.mark.parametrize("key", tuple(keys_of(PAPER)))
def test_each_key_of_the_schema_makes_a_difference(key: str) -> None:
    changed: Recipe = with_value(PAPER, key, "other")
    differences = recipe_differences(changed, PAPER)
    if key in MACHINE_KEYS:
        assert differences == ()
    else:
        assert len(differences) == 1
        assert differences[0].startswith(f"{key}=other (protocol: ")
    assert recipe_differences(PAPER, PAPER) == ()


@pytest.mark.parametrize(("cache", "counts"), [("memmap", False), ("none", False), ("jpeg", True)])
def test_a_cache_counts_if_it_changes_pixels(cache: str, counts: bool) -> None:
    assert bool(recipe_differences(with_value(PAPER, "data.cache", cache), PAPER)) == counts


@pytest.mark.parametrize(
    ("mine", "papers", "counts"), [("a", "a", False), ("a", "b", True), ("a", None, True), (None, "b", True)]
)
def test_masks_of_another_folder_count(mine: str | None, papers: str | None, counts: bool) -> None:
    recipes = (with_value(PAPER, "data.mask_dir", folder) for folder in (mine, papers))
    assert bool(recipe_differences(*recipes)) == counts


def plan(name: str, tmp_path: Path, *overrides: str, repeats: int | None = None) -> TablePlan:
    options = ReproductionOptions(PROFILES["paper"], tmp_path, overrides=overrides, repeats=repeats)
    return make_plan(name, load_table_spec(name), "isic2017:data", options, artifact_sets={})


@pytest.mark.parametrize(
    ("overrides", "repeats", "expected"),
    [
        ((), None, set()),
        (("train.device=cpu", "train.num_threads=1", "data.cache=memmap"), None, set()),
        (
            ("model.weights=none",),
            1,
            {"model.weights=none (protocol: imagenet)", "num_repeats=1 (protocol: 10)"},
        ),
        (("train.precision=bf16",), None, {"train.precision=bf16 (protocol: fp32)"}),
        (("augment.rotation=0",), None, {"augment.rotation=0.0 (protocol: 10.0)"}),
        (("data.max_images=100",), None, {"data.max_images=100 (protocol: null)"}),
        (("model.kwargs={alpha: 1}",), None, set()),
    ],
)
def test_settings_and_repeats_of_a_table_are_compared(
    tmp_path: Path, overrides: tuple[str, ...], repeats: int | None, expected: set[str]
) -> None:
    runs = plan("arl/table7", tmp_path, *overrides, repeats=repeats).runs
    differences = {text for run in runs for text in run.protocol_differences}
    if overrides == ("model.kwargs={alpha: 1}",):
        assert len(differences) == 1
        assert differences.pop().startswith('model.kwargs={"alpha": 1}')
    else:
        assert differences == expected


def test_a_row_with_fewer_folds_differs(tmp_path: Path) -> None:
    protocol_differences = {
        text for run in plan("patch/table2", tmp_path, "fold=0").runs for text in run.protocol_differences
    }
    assert protocol_differences == {"fold=0 (protocol: null)"}


def test_papers_train_in_float32(tmp_path: Path) -> None:
    assert {run.job.recipe.train.precision for run in plan("arl/table7", tmp_path).runs} == {"fp32"}


def test_runs_are_compared_by_what_they_did() -> None:
    metadata = {
        "auto_values": {"train.precision": "fp32", "data.cache": "memmap"},
        "data": {"fingerprint": "a"},
    }
    assert list(run_differences(metadata, "a")) == []
    metadata = {
        "auto_values": {"train.precision": "bf16", "data.cache": "jpeg"},
        "data": {"fingerprint": "b"},
    }
    assert [text.partition(",")[0] for text in run_differences(metadata, "a")] == [
        "train.precision=bf16 (protocol: fp32)", "data.cache=jpeg",
        "other images or labels than those of the dataset now",
    ]  # fmt: skip


def test_an_incomplete_dataset_differs(tmp_path: Path) -> None:
    table = load_table(f"isic2017:{tiny_datasets.write_isic2017(tmp_path)}")
    assert list(dataset_differences(table)) == [
        "an incomplete dataset: train 4 of 2,000, validation 3 of 150, test 3 of 600 images"
    ]


def test_differences_of_all_rows_name_no_row() -> None:
    assert merge_differences({"a": ["x", "x"], "b": ["x", "y"], "c": ["x", "y"]}) == ("x", "y (rows b, c)")
    assert merge_differences({"a": []}) == ()


def test_a_page_lists_differences_and_does_not_compare(tmp_path: Path) -> None:
    source = f"isic2017:{tiny_datasets.write_isic2017(tmp_path / 'data')}"
    options = ReproductionOptions(
        PROFILES["paper"], tmp_path / "out", overrides=("model.weights=none",), repeats=1
    )
    console = Console(quiet=True)
    assert plan_reproduction(["arl/table7"], [source], options, console).write_pages(console) == ()
    record = json.loads((tmp_path / "out" / "pages" / "arl-table7" / "results.json").read_text())
    assert record["is_comparable_to_paper"] is False
    (differences,) = (text for text in record["caveats"] if text.startswith("Not comparable"))
    for text in (
        "train 4 of 2,000",
        "model.weights=none (protocol: imagenet)",
        "num_repeats=1 (protocol: 10)",
    ):
        assert text in differences


def test_unreadable_data_of_a_finished_run_is_a_difference(tmp_path: Path) -> None:
    source = f"isic2017:{tiny_datasets.write_isic2017(tmp_path / 'data')}"
    overrides = ("data.extra_train=[isic2017:/missing]",)
    options = ReproductionOptions(PROFILES["paper"], tmp_path / "out", overrides=overrides, repeats=1)
    console = Console(quiet=True)
    reproduction = plan_reproduction(["arl/table7"], [source], options, console)
    job = reproduction.jobs()[0]
    run_dir = job.run_dir(options.out)
    run_dir.path.mkdir(parents=True)
    write_recipe(run_dir, job.recipe)
    run_dir.update(status="finished", data={})
    assert reproduction.write_pages(console) == ()
    record = json.loads((options.out / "pages" / "arl-table7" / "results.json").read_text())
    assert "data that cannot be read now: /missing does not exist" in record["caveats"][0]
