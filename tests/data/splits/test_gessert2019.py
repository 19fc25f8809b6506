"""The published parts, to the image."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionlens.datasets.splits.published import gessert2019, published_folds
from lesionlens.datasets.table import LesionTable
from lesionlens.core.errors import DataError

Rows = Callable[..., LesionTable]
FIRST = ["ISIC_0024306", "ISIC_0024307", "ISIC_0024308", "ISIC_0024309"]  # published in cv2, cv0, cv1, cv1


def test_sizes_are_those_of_the_published_lists() -> None:
    assert Counter(published_folds().values()) == {"test": 2511, "cv0": 2511, "cv1": 2508, "cv2": 2485}
    assert min(published_folds()) == "ISIC_0024306"
    assert max(published_folds()) == "ISIC_0034320"


def test_the_fold_validates_and_what_is_missing_is_counted(rows: Rows) -> None:
    split = gessert2019(rows(FIRST, ["nevus"] * 4, ids=FIRST), fold=1)
    assert split.splits == {"train": tuple(FIRST[:2]), "validation": tuple(FIRST[2:])}
    assert "10,011 of the split's 10,015 images are not in the table" in split.caveats
    assert any("no test part" in remark for remark in split.caveats)


def test_where_the_test_part_selects_the_fold_is_left_out(rows: Rows) -> None:
    tested = next(image for image, part in published_folds().items() if part == "test")
    ids = [*FIRST, tested]
    split = gessert2019(rows(ids, ["nevus"] * 5, ids=ids), fold=1, checkpoint_split="test")
    assert split.splits == {"train": tuple(FIRST[:2]), "validation": (tested,), "test": (tested,)}
    assert [image for image, _ in split.excluded] == FIRST[2:]


def test_a_stranger_is_refused_and_the_challenges_test_part_is_left_out(rows: Rows) -> None:
    ids = [*FIRST, "ISIC_0034524"]
    with pytest.raises(DataError, match="not in it: 1 image of this table, for example ISIC_0034524"):
        gessert2019(rows(ids, ["nevus"] * 5, ids=ids), fold=0)
    split = gessert2019(rows(ids, ["nevus"] * 5, ids=ids, parts=["train"] * 4 + ["test"]), fold=0)
    reason = "not in the official training part, which gessert2019 divides"
    assert split.excluded == (("ISIC_0034524", reason),)


@pytest.mark.real
def test_the_published_table_is_reproduced_and_lesions_are_disjoint(real_data: Path) -> None:
    folder = real_data / "ham10000"
    with (folder / "splits" / "gessert2019.csv").open() as stream:
        assert {row["image_id"]: row["part"] for row in csv.DictReader(stream)} == published_folds()
    parts: dict[str, set[str]] = {}
    with (folder / "HAM10000_metadata.csv").open() as stream:
        for row in csv.DictReader(stream):
            parts.setdefault(row["lesion_id"], set()).add(published_folds()[row["image_id"]])
    assert {len(found) for found in parts.values()} == {1}
