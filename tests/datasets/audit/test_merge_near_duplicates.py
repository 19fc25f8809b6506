"""Merging near-duplicates: copies under different ids are images of one lesion and patient."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionlens.datasets.near_duplicates import exclude_training_copies, merge_near_duplicates
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import LesionTable
from lesionlens.runs.schema import Recipe
from lesionlens.training.setup import read_task_data

IDS = [f"image-{number:02d}" for number in range(20)]


@pytest.fixture
def table(make_table: Callable[..., LesionTable], write_image: Callable[..., None]) -> LesionTable:
    """Twenty images: 1 is a mirrored copy of 0, 7 an identical file of 3, and 7 and 8 are of one lesion."""
    lesions = [*IDS[:8], IDS[7], *IDS[9:]]
    patients = ["", "a", "", "b", "", "", "", "c", "", "c", *[""] * 10]
    table = make_table("mine", IDS, seed=0, lesion_id=lesions, patient_id=patients)
    write_image(table.paths[1], 0, mirrored=True)
    shutil.copy(table.paths[3], table.paths[7])
    return table


def test_copies_are_images_of_one_lesion_and_patient(table: LesionTable) -> None:
    merged = merge_near_duplicates(table)
    lesions = dict(zip(IDS, merged.frame["lesion_id"], strict=True))
    assert lesions[IDS[1]] == lesions[IDS[0]] == IDS[0]
    assert lesions[IDS[8]] == lesions[IDS[7]] == lesions[IDS[3]] == IDS[3]
    others = set(IDS) - {IDS[number] for number in (1, 7, 8)}
    assert all(lesions[name] == name for name in others)
    patients = dict(zip(IDS, merged.frame["patient_id"], strict=True))
    assert patients[IDS[3]] == patients[IDS[7]] == patients[IDS[9]] == "b"
    assert (patients[IDS[0]], patients[IDS[1]]) == ("", "a")
    assert merged.warnings[-1].startswith("near-duplicates: 2 lesions merged")
    assert list(table.frame["lesion_id"])[:2] == IDS[:2]  # unchanged


def test_no_split_separates_copies(table: LesionTable) -> None:
    merged = merge_near_duplicates(table)
    for fold in range(3):
        splits = make_splits(
            merged, name="group_kfold", val_fraction=0.2, test_fraction=0.2, seed=0, n_folds=3, fold=fold
        )
        split_of = {name: split for split, names in splits.splits.items() for name in names}
        assert split_of[IDS[0]] == split_of[IDS[1]]
        assert split_of[IDS[3]] == split_of[IDS[7]] == split_of[IDS[8]] == split_of[IDS[9]]


def test_official_validation_loses_copies_of_training(make_table: Callable[..., LesionTable]) -> None:
    table = make_table("mine", IDS[:8], seed=0, split=["train"] * 4 + ["validation"] * 2 + ["test"] * 2)
    for source, copy in ((0, 4), (1, 6)):
        shutil.copy(table.paths[source], table.paths[copy])
    merged = merge_near_duplicates(table)
    splits = make_splits(merged, name="official", val_fraction=0, test_fraction=0, seed=0)
    without = exclude_training_copies(merged, splits)
    assert without.splits == {"train": tuple(IDS[:4]), "validation": (IDS[5],), "test": tuple(IDS[6:8])}
    assert [image for image, _ in without.excluded] == [IDS[4]]


def test_table_without_copies_is_unchanged(make_table: Callable[..., LesionTable]) -> None:
    table = make_table("mine", IDS[:5], seed=0)
    assert merge_near_duplicates(table) is table


def test_unreadable_images_are_not_compared(table: LesionTable) -> None:
    for number in (0, 4, 5):
        table.paths[number].write_bytes(b"text")
    lesions = list(merge_near_duplicates(table).frame["lesion_id"])
    assert (lesions[1], lesions[4], lesions[5], lesions[7]) == (IDS[1], IDS[4], IDS[5], IDS[3])


def test_recipe_key_merges(table: LesionTable, tmp_path: Path) -> None:
    csv = tmp_path / "mine" / "images.csv"
    frame = table.frame.assign(
        image=[f"{name}.png" for name in IDS], label=["nevus"] * 10 + ["melanoma"] * 10
    )
    frame[["image", "label", "lesion_id"]].to_csv(csv, index=False)
    source = {"data": {"source": str(csv), "split": "group_holdout"}, "model": {"name": "resnet14"}}
    separate = read_task_data(Recipe.model_validate(source)).table
    source["data"]["near_duplicates"] = "merge"
    merged = read_task_data(Recipe.model_validate(source)).table
    assert (separate.frame["lesion_id"].nunique(), merged.frame["lesion_id"].nunique()) == (19, 17)
