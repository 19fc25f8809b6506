"""Split strategies: test coverage, class proportions, and caveats about leakage."""

from collections.abc import Callable

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import NO_TEST_SPLIT_CAVEAT, DatasetSplits
from lesionlens.datasets.splits.strategies import group_kfold, image_kfold, official_splits
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def texts(splits: DatasetSplits) -> list[str]:
    return [caveat.text for caveat in splits.caveats]


@pytest.mark.parametrize("divide", [group_kfold, image_kfold])
def test_each_image_is_tested_once_with_proportional_classes(make_table: MakeTable, divide: Callable) -> None:  # type: ignore[type-arg]
    table = make_table(100)
    splits = [divide(table, n_folds=5, fold=i, val_fraction=0.1, seed=3) for i in range(5)]
    tested = [image for split in splits for image in split.splits["test"]]
    assert sorted(tested) == sorted(table.frame["image_id"])
    expected = table.frame["diagnosis"].value_counts(normalize=True)
    for split in splits:
        actual = table.select(split.splits["test"]).frame["diagnosis"].value_counts(normalize=True)
        assert (actual - expected).abs().max() < 0.06
        assert split.excluded == ()


def test_by_image_counts_leaked_lesions(make_table: MakeTable) -> None:
    table = make_table(60)
    split = image_kfold(table, n_folds=5, fold=1, val_fraction=0.1, seed=0)
    part = {image: name for name, ids in split.splits.items() for image in ids}
    lesions = table.frame.groupby("lesion_id")["image_id"].agg(lambda ids: len({part[i] for i in ids}))
    assert f"{(lesions > 1).sum()} lesions have images in more than one split" in " ".join(texts(split))
    assert "Yan 2020" in split.caveats[0].text


def test_by_image_uses_official_validation_and_excludes_test(make_table: MakeTable) -> None:
    parts = [("train", "train", "train", "validation", "test")[n % 5] for n in range(len(make_table(60)))]
    table = make_table(60, parts=parts)
    split = image_kfold(table, n_folds=5, fold=0, val_fraction=0.1, seed=0)
    ids = table.frame["image_id"]
    assert split.splits["validation"] == tuple(ids[table.frame["split"] == "validation"])
    assert [image for image, _ in split.excluded] == ids[table.frame["split"] == "test"].tolist()
    assert {reason for _, reason in split.excluded} == {
        "not in the official training split, which image_kfold divides"
    }


def test_fewer_lesions_than_folds_raise(make_rows: MakeTable) -> None:
    table = make_rows(["a", "a", "b", "b", "c", "c"], ["nevus"] * 6)
    with pytest.raises(DataError, match="3 lesions are too few for 4 folds"):
        group_kfold(table, n_folds=4, fold=0, val_fraction=0.2, seed=0)


def test_fold_without_a_class_has_a_caveat(make_rows: MakeTable) -> None:
    table = make_rows([f"l{n}" for n in range(43)], ["melanoma", "nevus"] * 20 + ["benign_keratosis"] * 3)
    splits = [group_kfold(table, n_folds=5, fold=i, val_fraction=0.2, seed=0) for i in range(5)]
    affected = [s for s in splits if "the test split has no image of benign_keratosis" in texts(s)]
    assert len(affected) == 2


def test_official_splits_are_used_and_missing_test_has_a_caveat(make_table: MakeTable) -> None:
    parts = ["train" if n % 5 else "validation" for n in range(len(make_table(40)))]
    split = official_splits(make_table(40, parts=parts), val_fraction=0.2, seed=0)
    assert len(split.splits["validation"]) == parts.count("validation")
    assert NO_TEST_SPLIT_CAVEAT in split.caveats
    assert any(
        "more than one split" in remark.text for remark in split.caveats
    )  # lesions are in several splits


def test_official_without_validation_holds_it_out_by_lesion(make_table: MakeTable) -> None:
    split = official_splits(make_table(80, parts=["train"] * len(make_table(80))), val_fraction=0.25, seed=0)
    assert set(split.splits) == {"train", "validation"}
    assert not any("more than one split" in remark.text for remark in split.caveats)


def test_official_validation_is_not_trained_if_test_selects(make_table: MakeTable) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(make_table(40)))]
    table = make_table(40, parts=parts)
    split = official_splits(table, val_fraction=0.2, seed=0, checkpoint_split="test")
    assert split.splits["train"] == tuple(table.frame["image_id"][table.frame["split"] == "train"])
    assert dict(split.excluded) == {
        image: "in no official split"
        if part == ""
        else "in the validation split, which is not used: the test split selects the checkpoint"
        for image, part in zip(table.frame["image_id"], parts, strict=True)
        if part in {"", "validation"}
    }


def test_without_held_out_images_validation_is_trained(make_table: MakeTable) -> None:
    parts = [("train", "train", "validation", "test", "")[n % 5] for n in range(len(make_table(40)))]
    table = make_table(40, parts=parts)
    split = official_splits(table, val_fraction=0, seed=0, checkpoint_split="test")
    named = table.frame["split"]
    assert split.splits["train"] == tuple(table.frame["image_id"][named.isin(["train", "validation"])])
    assert (
        split.splits["validation"] == split.splits["test"] == tuple(table.frame["image_id"][named == "test"])
    )
    assert {reason for _, reason in split.excluded} == {"in no official split"}
    assert "validation added to training" in split.description


def test_without_official_splits_the_error_names_alternatives(make_table: MakeTable) -> None:
    with pytest.raises(DataError, match=r"data\.split=group_holdout"):
        official_splits(make_table(10), val_fraction=0.2, seed=0)
