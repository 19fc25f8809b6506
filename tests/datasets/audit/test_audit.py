"""Audit: every inserted problem is found, and no other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.audit.audit import NO_SPLITS, Audit, audit_tables
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def messages(audit: Audit) -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.cases for finding in audit.findings}


def test_clean_dataset_has_no_finding(make_table: MakeTable) -> None:
    table = make_table(
        "clean", "abcd", seed=0, lesion_id=["1", "1", "2", "3"], split=["train"] * 3 + ["test"]
    )
    audit = audit_tables([table])
    assert audit.findings == audit.duplicates == audit.shortcuts == ()
    assert audit.sources == (("clean", 4),)


def test_lesions_and_patients_across_splits(make_table: MakeTable) -> None:
    table = make_table(
        "made",
        "abcd",
        seed=0,
        lesion_id=["1", "1", "2", "3"],
        patient_id=["", "", "p", "p"],
        split=["train", "test", "train", "validation"],
    )
    assert messages(audit_tables([table])) == {
        "lesions in more than one split": ("1: test, train",),
        "patients in more than one split": ("p: train, validation",),
    }
    clean = DatasetSplits({"train": ("a", "b"), "validation": ("c", "d")}, "custom", ())
    audit = audit_tables([table], clean)
    assert audit.findings == ()
    assert audit.split_description == "custom"


def test_a_lesion_may_have_the_id_of_one_of_its_images(make_table: MakeTable) -> None:
    table = make_table("made", "abc", seed=0, lesion_id="aac", split=["train", "test", "test"])
    assert messages(audit_tables([table])) == {
        "lesions in more than one split": ("a: test, train",),
        "datasets with images of unknown lesion": ("made: 1 image, treated as 1 separate lesion",),
    }


def test_duplicates_are_sorted_by_their_splits(
    make_table: MakeTable, write_image: Callable[..., None], tmp_path: Path
) -> None:
    first = make_table("one", "abcd", seed=0, lesion_id="1234", diagnosis=["nevus"] * 3 + ["melanoma"])
    second = make_table("two", "ef", seed=50, lesion_id="56")
    write_image(tmp_path / "one" / "b.png", 0)  # a, byte for byte
    write_image(tmp_path / "one" / "d.png", 2, mirrored=True)  # c, mirrored
    write_image(tmp_path / "two" / "e.png", 0)  # a again, in another dataset
    split = DatasetSplits({"train": ("a", "c"), "validation": ("d",)}, "custom", ())  # b is in no split
    assert messages(audit_tables([first, second], split)) == {
        "nearly identical pairs across splits": ("c (one, train, nevus) and d (one, validation, melanoma)",),
        "byte-identical pairs across datasets": ("a (one, train, nevus) and e (two, nevus)",),
        "duplicates with different labels": ("c (one, train, nevus) and d (one, validation, melanoma)",),
        "byte-identical pairs within a dataset": ("a (one, train, nevus) and b (one, nevus)",),
        "duplicates with different lesion ids, which a split may separate": (
            "a (one, train, nevus) and b (one, nevus)",
            "c (one, train, nevus) and d (one, validation, melanoma)",
        ),
    }


def test_duplicates_across_splits_after_one_without_split(
    make_table: MakeTable, write_image: Callable[..., None], tmp_path: Path
) -> None:
    table = make_table("one", "abc", seed=0, lesion_id="123", split=["", "train", "test"])
    for name in "bc":
        write_image(tmp_path / "one" / f"{name}.png", 0)
    pairs = messages(audit_tables([table]))["byte-identical pairs across splits"]
    assert pairs == ("b (one, train, nevus) and c (one, test, nevus)",)


def test_compatible_labels_do_not_conflict(make_table: MakeTable) -> None:
    first = make_table("one", "abc", seed=0, lesion_id="123", diagnosis=["nevus", "nevus", "melanoma"])
    second = make_table("two", "def", seed=0, lesion_id="456", diagnosis=["nevus", "benign", "benign"])
    unlabeled = make_table("none", "ghi", seed=0, lesion_id="789", diagnosis=[""] * 3)
    differ = messages(audit_tables([first, second, unlabeled]))["duplicates with different labels"]
    assert differ == ("c (one, melanoma) and f (two, benign)",)


def test_label_conflicts_between_two_datasets(make_table: MakeTable) -> None:
    first = make_table("one", "ab", seed=0, lesion_id=["1", "2"])
    second = make_table("one again", "ac", seed=50, lesion_id=["1", "c"], diagnosis=["melanoma", "nevus"])
    assert messages(audit_tables([first, second])) == {
        "lesions in more than one dataset": ("1: one, one again",),
        "image ids in more than one dataset": ("a: one, one again",),
        "lesions with more than one label": ("1: melanoma, nevus",),
        "datasets with images of unknown lesion": ("one again: 1 image, treated as 1 separate lesion",),
        NO_SPLITS: ("pass the split that training uses, for example --split group_holdout",),
    }


def test_sources_with_the_same_name_are_numbered(make_table: MakeTable) -> None:
    table = make_table("one", "ab", seed=0, lesion_id="12")
    audit = audit_tables([table, table])
    assert audit.sources == (("one", 2), ("one (2)", 2))
    assert len(messages(audit)["byte-identical pairs across datasets"]) == 2


def test_unreadable_files_are_named(make_table: MakeTable, tmp_path: Path) -> None:
    table = make_table("one", "abc", seed=0, lesion_id="123")
    (tmp_path / "one" / "a.png").unlink()
    (tmp_path / "one" / "b.png").write_text("no image")
    missing, damaged = messages(audit_tables([table]))["files that are missing or cannot be read"]
    assert "a.png" in missing
    assert "b.png is not a usable image" in damaged


def test_shortcut_is_reported(make_table: MakeTable) -> None:
    labels = ["melanoma", "nevus"] * 6
    methods = ["histo", "follow_up"] * 6
    table = make_table("one", "abcdefghijkl", seed=0, diagnosis=labels, diagnosis_method=methods)
    audit = audit_tables([table])
    cases = messages(audit)["columns that predict the class without the image"]
    assert cases == ("diagnosis_method: balanced accuracy 1.00, chance 0.50",)


def test_audit_needs_at_least_one_dataset() -> None:
    with pytest.raises(DataError, match="nothing to audit"):
        audit_tables([])


@pytest.mark.real_data
@pytest.mark.slow
def test_real_sample_has_the_documented_findings(real_data: Path) -> None:
    table = load_table(f"isic2017:{real_data / 'isic2017'}")
    cases = messages(audit_tables([table]))
    assert len(cases["byte-identical pairs across splits"]) == 1
    assert len(cases["nearly identical pairs across splits"]) == 3
    assert len(cases["nearly identical pairs within a dataset"]) == 14


def test_artifact_labels_of_a_file_are_tested(make_table: MakeTable, tmp_path: Path) -> None:
    ids = [f"i{n}" for n in range(12)]
    table = make_table("made", ids, seed=40, diagnosis=["melanoma", "nevus"] * 6)
    path = tmp_path / "labels.csv"
    path.write_text("image_id,ruler\n" + "".join(f"{name},{1 - n % 2}\n" for n, name in enumerate(ids)))
    assert audit_tables([table]).artifacts == ()
    audit = audit_tables([table], artifact_labels=path)
    assert [item.artifact for item in audit.artifacts] == ["ruler"]
    assert messages(audit)["artifacts associated with the class"] == (
        "ruler: 100 % of melanoma, 0 % of nevus; Cramér's V 1.00",
    )
    assert "artifact ruler" in [item.column for item in audit.shortcuts]
