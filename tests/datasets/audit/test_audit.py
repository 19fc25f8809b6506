"""Everything that is planted is found, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.audit.audit import Audit, audit_tables
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable

Draw = Callable[..., LesionTable]


def told(found: Audit) -> dict[str, tuple[str, ...]]:
    return {each.kind: each.cases for each in found.findings}


def test_a_clean_set_has_no_finding(drawn: Draw) -> None:
    table = drawn("clean", "abcd", seed=0, lesion_id=["1", "1", "2", "3"], split=["train"] * 3 + ["test"])
    found = audit_tables([table])
    assert found.findings == found.duplicates == found.shortcuts == ()
    assert found.sources == (("clean", 4),)


def test_lesions_and_patients_across_parts(drawn: Draw) -> None:
    table = drawn(
        "made",
        "abcd",
        seed=0,
        lesion_id=["1", "1", "2", "3"],
        patient_id=["", "", "p", "p"],
        split=["train", "test", "train", "validation"],
    )
    assert told(audit_tables([table])) == {
        "lesions in more than one split": ("1: test, train",),
        "patients in more than one split": ("p: train, validation",),
    }
    clean = DatasetSplits({"train": ("a", "b"), "validation": ("c", "d")}, "by hand", ())
    found = audit_tables([table], clean)
    assert found.findings == ()
    assert found.split_description == "by hand"


def test_a_lesion_may_have_the_id_of_one_of_its_images(drawn: Draw) -> None:
    table = drawn("made", "abc", seed=0, lesion_id="aac", split=["train", "test", "test"])
    assert told(audit_tables([table])) == {
        "lesions in more than one split": ("a: test, train",),
        "datasets with images of unknown lesion": ("made: 1 image, treated as 1 separate lesion",),
    }


def test_copies_are_sorted_by_where_they_lie(
    drawn: Draw, picture: Callable[..., None], tmp_path: Path
) -> None:
    one = drawn("one", "abcd", seed=0, lesion_id="1234", diagnosis=["nevus"] * 3 + ["melanoma"])
    two = drawn("two", "ef", seed=50, lesion_id="56")
    picture(tmp_path / "one" / "b.png", 0)  # a, byte for byte
    picture(tmp_path / "one" / "d.png", 2, mirrored=True)  # c, mirrored
    picture(tmp_path / "two" / "e.png", 0)  # a again, in another data set
    split = DatasetSplits({"train": ("a", "c"), "validation": ("d",)}, "by hand", ())  # b is in no part
    assert told(audit_tables([one, two], split)) == {
        "nearly identical pairs across splits": ("c (one, train, nevus) and d (one, validation, melanoma)",),
        "byte-identical pairs across datasets": ("a (one, train, nevus) and e (two, nevus)",),
        "duplicates with different labels": ("c (one, train, nevus) and d (one, validation, melanoma)",),
        "byte-identical pairs within a dataset": ("a (one, train, nevus) and b (one, nevus)",),
        "duplicates with different lesion ids, which a split may separate": (
            "a (one, train, nevus) and b (one, nevus)",
            "c (one, train, nevus) and d (one, validation, melanoma)",
        ),
    }


def test_copies_in_two_parts_are_found_behind_one_that_has_none(
    drawn: Draw, picture: Callable[..., None], tmp_path: Path
) -> None:
    table = drawn("one", "abc", seed=0, lesion_id="123", split=["", "train", "test"])
    for name in "bc":
        picture(tmp_path / "one" / f"{name}.png", 0)
    pairs = told(audit_tables([table]))["byte-identical pairs across splits"]
    assert pairs == ("b (one, train, nevus) and c (one, test, nevus)",)


def test_labels_that_can_both_be_true_are_no_conflict(drawn: Draw) -> None:
    one = drawn("one", "abc", seed=0, lesion_id="123", diagnosis=["nevus", "nevus", "melanoma"])
    two = drawn("two", "def", seed=0, lesion_id="456", diagnosis=["nevus", "benign", "benign"])
    none = drawn("none", "ghi", seed=0, lesion_id="789", diagnosis=[""] * 3)
    differ = told(audit_tables([one, two, none]))["duplicates with different labels"]
    assert differ == ("c (one, melanoma) and f (two, benign)",)


def test_what_two_data_sets_disagree_on(drawn: Draw) -> None:
    one = drawn("one", "ab", seed=0, lesion_id=["1", "2"])
    two = drawn("one again", "ac", seed=50, lesion_id=["1", "c"], diagnosis=["melanoma", "nevus"])
    assert told(audit_tables([one, two])) == {
        "lesions in more than one dataset": ("1: one, one again",),
        "image ids in more than one dataset": ("a: one, one again",),
        "lesions with more than one label": ("1: melanoma, nevus",),
        "datasets with images of unknown lesion": ("one again: 1 image, treated as 1 separate lesion",),
    }


def test_the_same_name_twice_is_told_apart(drawn: Draw) -> None:
    table = drawn("one", "ab", seed=0, lesion_id="12")
    found = audit_tables([table, table])
    assert found.sources == (("one", 2), ("one (2)", 2))
    assert len(told(found)["byte-identical pairs across datasets"]) == 2


def test_what_cannot_be_read_is_named(drawn: Draw, tmp_path: Path) -> None:
    table = drawn("one", "abc", seed=0, lesion_id="123")
    (tmp_path / "one" / "a.png").unlink()
    (tmp_path / "one" / "b.png").write_text("no image")
    missing, damaged = told(audit_tables([table]))["files that are missing or cannot be read"]
    assert "a.png" in missing
    assert "b.png is not a usable image" in damaged


def test_a_shortcut_is_told(drawn: Draw) -> None:
    labels = ["melanoma", "nevus"] * 6
    methods = ["histo", "follow_up"] * 6
    table = drawn("one", "abcdefghijkl", seed=0, diagnosis=labels, diagnosis_method=methods)
    found = audit_tables([table])
    cases = told(found)["columns that predict the class without the image"]
    assert cases == ("diagnosis_method: balanced accuracy 1.00, chance 0.50",)


def test_nothing_cannot_be_audited() -> None:
    with pytest.raises(DataError, match="nothing to audit"):
        audit_tables([])


@pytest.mark.real_data
@pytest.mark.slow
def test_the_real_sample_holds_what_the_page_says(real_data: Path) -> None:
    table = load_table(f"isic2017:{real_data / 'isic2017'}")
    found = told(audit_tables([table]))
    assert len(found["byte-identical pairs across splits"]) == 1
    assert len(found["nearly identical pairs across splits"]) == 3
    assert len(found["nearly identical pairs within a dataset"]) == 14
