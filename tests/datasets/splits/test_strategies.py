"""Each image tests once; by image, lesions leak, and that is said aloud."""

from collections.abc import Callable

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.strategies import group_kfold, image_kfold, official_splits
from lesionlens.datasets.table import LesionTable

Make = Callable[..., LesionTable]


@pytest.mark.parametrize("divide", [group_kfold, image_kfold])
def test_each_image_tests_once_and_classes_are_in_proportion(made: Make, divide: Callable) -> None:  # type: ignore[type-arg]
    table = made(100)
    splits = [divide(table, n_folds=5, fold=i, val_fraction=0.1, seed=3) for i in range(5)]
    tested = [image for split in splits for image in split.splits["test"]]
    assert sorted(tested) == sorted(table.frame["image_id"])
    whole = table.frame["diagnosis"].value_counts(normalize=True)
    for split in splits:
        there = table.select(split.splits["test"]).frame["diagnosis"].value_counts(normalize=True)
        assert (there - whole).abs().max() < 0.06
        assert split.excluded == ()


def test_by_image_the_leak_is_counted(made: Make) -> None:
    table = made(60)
    split = image_kfold(table, n_folds=5, fold=1, val_fraction=0.1, seed=0)
    part = {image: name for name, ids in split.splits.items() for image in ids}
    lesions = table.frame.groupby("lesion_id")["image_id"].agg(lambda ids: len({part[i] for i in ids}))
    assert f"{(lesions > 1).sum()} lesions have images in more than one split" in " ".join(split.caveats)
    assert "Yan 2020" in split.caveats[0]


def test_by_image_official_validation_selects_and_official_test_is_left_out(made: Make) -> None:
    parts = [("train", "train", "train", "validation", "test")[n % 5] for n in range(len(made(60)))]
    table = made(60, parts=parts)
    split = image_kfold(table, n_folds=5, fold=0, val_fraction=0.1, seed=0)
    ids = table.frame["image_id"]
    assert split.splits["validation"] == tuple(ids[table.frame["split"] == "validation"])
    assert [image for image, _ in split.excluded] == ids[table.frame["split"] == "test"].tolist()
    assert {reason for _, reason in split.excluded} == {
        "not in the official training split, which image_kfold divides"
    }


def test_fewer_lesions_than_folds_are_refused(rows: Make) -> None:
    table = rows(["a", "a", "b", "b", "c", "c"], ["nevus"] * 6)
    with pytest.raises(DataError, match="3 lesions are too few for 4 folds"):
        group_kfold(table, n_folds=4, fold=0, val_fraction=0.2, seed=0)


def test_a_fold_without_a_class_says_so(rows: Make) -> None:
    table = rows([f"l{n}" for n in range(43)], ["melanoma", "nevus"] * 20 + ["benign_keratosis"] * 3)
    splits = [group_kfold(table, n_folds=5, fold=i, val_fraction=0.2, seed=0) for i in range(5)]
    without = [s for s in splits if "the test split has no image of benign_keratosis" in s.caveats]
    assert len(without) == 2


Made = Callable[..., LesionTable]


def test_official_parts_are_kept_and_a_missing_test_is_said(made: Made) -> None:
    parts = ["train" if n % 5 else "validation" for n in range(len(made(40)))]
    split = official_splits(made(40, parts=parts), val_fraction=0.2, seed=0)
    assert len(split.splits["validation"]) == parts.count("validation")
    assert any("no test split" in remark for remark in split.caveats)
    assert any("more than one split" in remark for remark in split.caveats)  # lesions are in several splits


def test_official_without_validation_cuts_it_by_lesion(made: Made) -> None:
    split = official_splits(made(80, parts=["train"] * len(made(80))), val_fraction=0.25, seed=0)
    assert set(split.splits) == {"train", "validation"}
    assert not any("more than one split" in remark for remark in split.caveats)


def test_an_official_validation_part_does_not_train_where_the_test_part_selects(made: Made) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(made(40)))]
    table = made(40, parts=parts)
    split = official_splits(table, val_fraction=0.2, seed=0, checkpoint_split="test")
    assert split.splits["train"] == tuple(table.frame["image_id"][table.frame["split"] == "train"])
    assert dict(split.excluded) == {
        image: "in no official split"
        if part == ""
        else "in the validation split, which is not used: the test split selects the checkpoint"
        for image, part in zip(table.frame["image_id"], parts, strict=True)
        if part in {"", "validation"}
    }


def test_where_nothing_is_held_out_the_validation_part_trains_too(made: Made) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(made(40)))]
    table = made(40, parts=parts)
    split = official_splits(table, val_fraction=0, seed=0, checkpoint_split="test")
    named = table.frame["split"]
    assert split.splits["train"] == tuple(table.frame["image_id"][named.isin(["train", "validation"])])
    assert (
        split.splits["validation"] == split.splits["test"] == tuple(table.frame["image_id"][named == "test"])
    )
    assert {reason for _, reason in split.excluded} == {"in no official split"}
    assert "validation added to training" in split.description


def test_a_set_without_official_parts_says_what_to_use(made: Made) -> None:
    with pytest.raises(DataError, match=r"data\.split=group_holdout"):
        official_splits(made(10), val_fraction=0.2, seed=0)
