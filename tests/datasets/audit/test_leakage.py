"""Leakage found from ids and file contents, in the wording of the split's caveats."""

from collections.abc import Callable
from pathlib import Path

from lesionlens.datasets.audit.leakage import find_leakage, split_of_rows
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.strategies import official_splits
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def test_without_leakage_there_is_no_message(make_table: MakeTable) -> None:
    table = make_table("one", "abcd", seed=0)
    assert find_leakage(table, DatasetSplits({"train": ("a", "b"), "test": ("c",)}, "", ())) == ()


def test_leaked_lesions_are_named_as_by_the_split(make_table: MakeTable) -> None:
    parts = ["train", "train", "validation", "validation"]
    table = make_table("one", "abcd", seed=0, lesion_id=["1", "2", "1", "3"], split=parts)
    split = official_splits(table, val_fraction=0.2, seed=0)
    (caveat,) = find_leakage(table, split)
    assert caveat == (
        "1 lesion has images in more than one split: results may be optimistically biased",
        "leakage",
    )
    assert set(find_leakage(table, split)) <= set(split.caveats)


def test_identical_files_in_two_splits(
    make_table: MakeTable, write_image: Callable[..., None], tmp_path: Path
) -> None:
    table = make_table("one", "abcdef", seed=0)
    for copy in "bcf":
        write_image(tmp_path / "one" / f"{copy}.png", 0)  # copies of a; b is in train too, f in no split
    (tmp_path / "one" / "d.png").unlink()
    split = DatasetSplits({"train": ("a", "b"), "validation": ("c", "d"), "test": ("e",)}, "", ())
    (caveat,) = find_leakage(table, split)
    assert caveat.text == (
        "1 file has an identical copy in another split (a and c): results may be optimistically biased"
    )


def test_image_in_validation_and_test_counts_as_test(make_table: MakeTable) -> None:
    table = make_table("one", "ab", seed=0)
    split = DatasetSplits({"train": ("a",), "test": ("b",), "validation": ("b",)}, "", ())
    assert split_of_rows(table, split).tolist() == ["train", "test"]
