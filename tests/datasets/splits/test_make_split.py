"""Factory of splits: every name, no lesion in two splits, and errors that list allowed values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]
GROUPED: dict[str, dict[str, Any]] = {
    "group_holdout": {},
    "group_kfold": {"n_folds": 3, "fold": 2},
    "datta2021": {},
}


def make(table: LesionTable, name: str, **options: Any) -> DatasetSplits:
    return make_splits(
        table, **{"name": name, "val_fraction": 0.2, "test_fraction": 0.2, "seed": 0} | options
    )


@pytest.mark.parametrize("name", GROUPED)
@settings(max_examples=6)
@given(lesions=st.integers(40, 60), seed=st.integers(0, 999))
def test_no_lesion_is_in_two_splits(make_table: MakeTable, name: str, lesions: int, seed: int) -> None:
    table = make_table(lesions, seed=seed)
    split = make(table, name, seed=seed, **GROUPED[name])
    lesion = dict(zip(table.frame["image_id"], table.frame["lesion_id"], strict=True))
    lesions_of_splits = [{lesion[image] for image in ids} for ids in split.splits.values()]
    assert len(lesions_of_splits) == 3
    assert (
        sum(len(lesion_ids) for lesion_ids in lesions_of_splits)
        == len(set.union(*lesions_of_splits))
        == lesions
    )
    assert sum(len(ids) for ids in split.splits.values()) == len(table)


@pytest.mark.parametrize("name", [*GROUPED, "image_kfold"])
def test_same_seed_gives_the_same_split(make_table: MakeTable, name: str) -> None:
    options = GROUPED.get(name, {"n_folds": 3, "fold": 2})
    table = make_table(40)
    assert make(table, name, seed=4, **options) == make(table, name, seed=4, **options)
    assert make(table, name, seed=4, **options) != make(table, name, seed=5, **options)


@pytest.mark.parametrize("name", [*GROUPED, "image_kfold"])
def test_selecting_on_the_test_split_has_a_caveat(make_table: MakeTable, name: str) -> None:
    options = GROUPED.get(name, {"n_folds": 3, "fold": 2})
    table = make_table(40)
    default, split = make(table, name, **options), make(table, name, checkpoint_split="test", **options)
    assert split.splits["validation"] == split.splits["test"] == default.splits["test"]
    assert len(split.splits["train"]) == len(default.splits["train"]) + len(default.splits["validation"])
    assert any(
        "optimistically biased" in remark.text and "checkpoint_split=test" in remark.text
        for remark in split.caveats
    )
    assert not any("checkpoint_split" in remark.text for remark in default.caveats)


def official(make_table: MakeTable, pattern: list[str]) -> LesionTable:
    """Make a table whose lesions are in official splits in turn."""
    table = make_table(60)
    lesions = sorted(set(table.frame["lesion_id"]), key=lambda name: int(name[1:]))
    names = {lesion: pattern[n % len(pattern)] for n, lesion in enumerate(lesions)}
    return replace(table, frame=table.frame.assign(split=table.frame["lesion_id"].map(names)))


@pytest.mark.parametrize(
    ("pattern", "uses_official"),
    [
        (["train", "train", "test"], True),
        (["train", "train", "validation", "test"], True),
        (["train", "train", "validation"], True),
        (["train", "train", "test", ""], True),
        (["train"], False),
        ([""], False),
    ],
)
def test_auto_uses_official_splits_where_there_are_any(
    make_table: MakeTable, pattern: list[str], uses_official: bool
) -> None:
    table = official(make_table, pattern)
    split = make(table, "auto")
    assert split.description.startswith("the official splits") == uses_official
    tested = table.frame["image_id"][table.frame["split"] == "test"]
    assert set(split.splits.get("test", ())) == set(tested) or not uses_official
    assert any("in no official split" in remark.text for remark in split.caveats) == ("" in pattern[1:])


def test_auto_rejects_a_test_split_without_training_split(make_table: MakeTable) -> None:
    with pytest.raises(DataError, match=r"has an official test split \(\d+ images\) but no training split"):
        make(official(make_table, ["test", ""]), "auto")


@pytest.mark.parametrize(
    ("name", "options"), [("group_holdout", {}), ("group_kfold", {"n_folds": 3, "fold": 0})]
)
def test_unused_official_test_images_are_counted(
    make_table: MakeTable, name: str, options: dict[str, Any]
) -> None:
    table = official(make_table, ["train", "train", "test"])
    split = make(table, name, **options)
    tested = set(table.frame["image_id"][table.frame["split"] == "test"])
    trained = tested & {*split.splits["train"], *split.splits["validation"]}
    assert any(f"{len(trained)} of its {len(tested)} test images" in remark.text for remark in split.caveats)
    assert not any("are not used" in remark.text for remark in make(table, "official").caveats)


def test_split_file_against_official_splits_has_a_caveat(make_table: MakeTable, tmp_path: Any) -> None:
    table = official(make_table, ["train", "validation", "test"])
    frame = table.frame
    frame.assign(split=frame["split"].replace({"test": "train"}))[["image_id", "split"]].to_csv(
        tmp_path / "s.csv", index=False
    )
    assert any(
        "test images are in the training" in remark.text
        for remark in make(table, str(tmp_path / "s.csv")).caveats
    )
    frame[["image_id", "split"]].to_csv(tmp_path / "s.csv", index=False)
    assert not any("official" in remark.text for remark in make(table, str(tmp_path / "s.csv")).caveats)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("group_kfolds", {}, "unknown split 'group_kfolds': did you mean 'group_kfold'.*path of a CSV"),
        ("nowhere.csv", {}, "cannot read the split: nowhere.csv"),
        ("group_kfold", {"fold": 0}, r"needs n_folds, 2 or more .*it is not set"),
        ("group_kfold", {"n_folds": 1, "fold": 0}, "2 or more .*it is 1"),
        ("group_kfold", {"n_folds": 5}, r"needs fold, from 0 to 4 .*it is not set"),
        ("image_kfold", {"n_folds": 5, "fold": 5}, "from 0 to 4 .*it is 5"),
        ("gessert2019", {"n_folds": 5, "fold": 0}, "3 published folds, not 5"),
        ("gessert2019", {"fold": 3}, "from 0 to 2 .*it is 3"),
        ("group_holdout", {"fold": 1}, "has no folds.*group_kfold, image_kfold or gessert2019"),
        ("group_holdout", {"val_fraction": 0.5, "test_fraction": 0.5}, "leave no image to train on"),
        ("group_holdout", {"val_fraction": 0.0}, "fraction of 0% cannot be held out"),
        ("group_holdout", {"test_fraction": 0.0, "checkpoint_split": "test"}, "needs a test split"),
    ],
)
def test_invalid_options_raise(
    make_table: MakeTable, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make(make_table(30), name, **options)


def test_split_round_trips_through_a_file(make_table: MakeTable, tmp_path: Any) -> None:
    table = make_table(40)
    split = make(table, "group_holdout")
    split.save(tmp_path / "split.csv")
    assert dict(make(table, str(tmp_path / "split.csv")).splits) == dict(split.splits)
    assert list(pd.read_csv(tmp_path / "split.csv")) == ["image_id", "split"]
