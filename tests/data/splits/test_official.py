"""The parts that a data set names are kept; what is missing or unused is said."""

from collections.abc import Callable

import pytest

from lesionlens.datasets.splits.strategies import official_splits
from lesionlens.datasets.table import LesionTable
from lesionlens.core.errors import DataError

Made = Callable[..., LesionTable]


def test_official_parts_are_kept_and_a_missing_test_is_said(made: Made) -> None:
    parts = ["train" if n % 5 else "validation" for n in range(len(made(40)))]
    split = official_splits(made(40, parts=parts), val_fraction=0.2, seed=0)
    assert len(split.splits["validation"]) == parts.count("validation")
    assert any("no test part" in remark for remark in split.caveats)
    assert any("more than one part" in remark for remark in split.caveats)  # lesions were cut through


def test_official_without_validation_cuts_it_by_lesion(made: Made) -> None:
    split = official_splits(made(80, parts=["train"] * len(made(80))), val_fraction=0.25, seed=0)
    assert set(split.splits) == {"train", "validation"}
    assert not any("more than one part" in remark for remark in split.caveats)


def test_an_official_validation_part_does_not_train_where_the_test_part_selects(made: Made) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(made(40)))]
    table = made(40, parts=parts)
    split = official_splits(table, val_fraction=0.2, seed=0, checkpoint_split="test")
    assert split.splits["train"] == tuple(table.frame["image_id"][table.frame["part"] == "train"])
    assert dict(split.excluded) == {
        image: "in no official part"
        if part == ""
        else "in the validation part, which is not used: the test part selects"
        for image, part in zip(table.frame["image_id"], parts, strict=True)
        if part in {"", "validation"}
    }


def test_where_nothing_is_held_out_the_validation_part_trains_too(made: Made) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(made(40)))]
    table = made(40, parts=parts)
    split = official_splits(table, val_fraction=0, seed=0, checkpoint_split="test")
    named = table.frame["part"]
    assert split.splits["train"] == tuple(table.frame["image_id"][named.isin(["train", "validation"])])
    assert split.splits["validation"] == split.splits["test"] == tuple(table.frame["image_id"][named == "test"])
    assert {reason for _, reason in split.excluded} == {"in no official part"}
    assert "that for validation trains too" in split.description


def test_a_set_without_official_parts_says_what_to_use(made: Made) -> None:
    with pytest.raises(DataError, match=r"data\.split=grouped"):
        official_splits(made(10), val_fraction=0.2, seed=0)
