"""One front door: every name, no lesion on two sides, and errors that say what is allowed."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import LesionTable

Made = Callable[..., LesionTable]
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
def test_no_lesion_is_on_two_sides(made: Made, name: str, lesions: int, seed: int) -> None:
    table = made(lesions, seed=seed)
    split = make(table, name, seed=seed, **GROUPED[name])
    lesion = dict(zip(table.frame["image_id"], table.frame["lesion_id"], strict=True))
    sides = [{lesion[image] for image in ids} for ids in split.splits.values()]
    assert len(sides) == 3
    assert sum(len(side) for side in sides) == len(set.union(*sides)) == lesions
    assert sum(len(ids) for ids in split.splits.values()) == len(table)


@pytest.mark.parametrize("name", [*GROUPED, "image_kfold"])
def test_the_same_seed_gives_the_same_split(made: Made, name: str) -> None:
    options = GROUPED.get(name, {"n_folds": 3, "fold": 2})
    table = made(40)
    assert make(table, name, seed=4, **options) == make(table, name, seed=4, **options)
    assert make(table, name, seed=4, **options) != make(table, name, seed=5, **options)


@pytest.mark.parametrize("name", [*GROUPED, "image_kfold"])
def test_the_test_part_may_select_but_not_silently(made: Made, name: str) -> None:
    options = GROUPED.get(name, {"n_folds": 3, "fold": 2})
    table = made(40)
    usual, split = make(table, name, **options), make(table, name, checkpoint_split="test", **options)
    assert split.splits["validation"] == split.splits["test"] == usual.splits["test"]
    assert len(split.splits["train"]) == len(usual.splits["train"]) + len(usual.splits["validation"])
    assert any(
        "optimistically biased" in remark and "checkpoint_split=test" in remark for remark in split.caveats
    )
    assert not any("checkpoint_split" in remark for remark in usual.caveats)


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
def test_what_cannot_be_is_refused(made: Made, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(made(30), name, **options)


def test_a_split_is_written_and_followed(made: Made, tmp_path: Any) -> None:
    table = made(40)
    split = make(table, "group_holdout")
    split.save(tmp_path / "split.csv")
    assert dict(make(table, str(tmp_path / "split.csv")).splits) == dict(split.splits)
    assert list(pd.read_csv(tmp_path / "split.csv")) == ["image_id", "split"]
