"""The cheap leaks, in the words of the split."""

from collections.abc import Callable
from pathlib import Path

from lesionlens.datasets.audit.leakage import find_leakage, split_of_rows
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.strategies import official_splits
from lesionlens.datasets.table import LesionTable

Draw = Callable[..., LesionTable]


def test_no_leak_no_sentence(drawn: Draw) -> None:
    table = drawn("one", "abcd", seed=0)
    assert find_leakage(table, DatasetSplits({"train": ("a", "b"), "test": ("c",)}, "", ())) == ()


def test_lesions_are_told_in_the_words_of_the_split(drawn: Draw) -> None:
    parts = ["train", "train", "validation", "validation"]
    table = drawn("one", "abcd", seed=0, lesion_id=["1", "2", "1", "3"], split=parts)
    split = official_splits(table, val_fraction=0.2, seed=0)
    assert find_leakage(table, split) == (
        "1 lesion has images in more than one split: results may be optimistically biased",
    )
    assert set(find_leakage(table, split)) <= set(split.caveats)


def test_files_in_two_parts(drawn: Draw, picture: Callable[..., None], tmp_path: Path) -> None:
    table = drawn("one", "abcdef", seed=0)
    for copy in "bcf":
        picture(tmp_path / "one" / f"{copy}.png", 0)  # a again; b also trains, f is in no part
    (tmp_path / "one" / "d.png").unlink()
    split = DatasetSplits({"train": ("a", "b"), "validation": ("c", "d"), "test": ("e",)}, "", ())
    assert find_leakage(table, split) == (
        "1 file has an identical copy in another split (a and c): results may be optimistically biased",
    )


def test_an_image_that_validates_and_tests_counts_as_test(drawn: Draw) -> None:
    table = drawn("one", "ab", seed=0)
    split = DatasetSplits({"train": ("a",), "test": ("b",), "validation": ("b",)}, "", ())
    assert split_of_rows(table, split).tolist() == ["train", "test"]
