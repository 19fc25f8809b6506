"""Splits of the papers: class counts and published lists."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import NO_TEST_SPLIT_CAVEAT, SplitCaveat
from lesionlens.datasets.splits.published import (
    datta2021,
    gessert2019,
    published_folds,
    sample_single_image_lesions,
)
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def test_lesions_of_the_test_split_have_one_image(make_table: MakeTable) -> None:
    table = make_table(90)
    split = datta2021(table, val_fraction=0.2, test_fraction=0.3, seed=0)
    images = table.frame.groupby("lesion_id")["image_id"].size()
    tested = table.select(split.splits["test"]).frame["lesion_id"]
    assert set(images[tested]) == {1}
    assert len(tested) == pytest.approx(0.3 * (images == 1).sum(), abs=1)
    assert "single image" in split.caveats[0].text


def test_class_of_one_single_image_lesion_is_only_in_train(make_rows: MakeTable) -> None:
    table = make_rows([f"l{n}" for n in range(41)], ["melanoma", "nevus"] * 20 + ["benign_keratosis"])
    split = datta2021(table, val_fraction=0.2, test_fraction=0.2, seed=0)
    assert "i40" not in split.splits["test"]
    text = "classes with fewer than two single-image lesions are not tested: benign_keratosis"
    assert SplitCaveat(text) in split.caveats


def test_too_small_a_table_raises(make_rows: MakeTable) -> None:
    table = make_rows(["a", "b", "c", "d"], ["melanoma", "nevus"] * 2)
    with pytest.raises(DataError, match="15% of 4 lesions with a single image cannot contain every class"):
        datta2021(table, val_fraction=0.2, test_fraction=0.15, seed=0)


@pytest.mark.real_data
@pytest.mark.parametrize(("fraction", "support"), [(0.15, 828), (0.2, 1103), (0.3, 1655)])
def test_class_counts_equal_those_of_the_paper(real_data: Path, fraction: float, support: int) -> None:
    with (real_data / "ham10000" / "HAM10000_metadata.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    labels = np.array([row["dx"] for row in rows])
    lesions = np.array([row["lesion_id"] for row in rows])
    for seed in (0, 1):
        indices, rare = sample_single_image_lesions(lesions, labels, fraction=fraction, seed=seed)
        assert len(indices) == support
        assert rare == ()
    if support == 828:
        published = {"akiec": 23, "bcc": 26, "bkl": 66, "df": 6, "mel": 34, "nv": 663, "vasc": 10}
        assert Counter(labels[indices]) == published


FIRST = [
    "ISIC_0024306",
    "ISIC_0024307",
    "ISIC_0024308",
    "ISIC_0024309",
]  # published in folds cv2, cv0, cv1, cv1


def test_sizes_are_those_of_the_published_lists() -> None:
    assert Counter(published_folds().values()) == {"test": 2511, "cv0": 2511, "cv1": 2508, "cv2": 2485}
    assert min(published_folds()) == "ISIC_0024306"
    assert max(published_folds()) == "ISIC_0034320"


def test_fold_is_the_validation_split_and_missing_are_counted(make_rows: MakeTable) -> None:
    split = gessert2019(make_rows(FIRST, ["nevus"] * 4, ids=FIRST), fold=1)
    assert split.splits == {"train": tuple(FIRST[:2]), "validation": tuple(FIRST[2:])}
    text = "10,011 of the 10,015 images of the split are not in the table"
    assert {SplitCaveat(text), NO_TEST_SPLIT_CAVEAT} <= set(split.caveats)


def test_selecting_on_the_test_split_excludes_the_fold(make_rows: MakeTable) -> None:
    tested = next(image for image, part in published_folds().items() if part == "test")
    ids = [*FIRST, tested]
    split = gessert2019(make_rows(ids, ["nevus"] * 5, ids=ids), fold=1, checkpoint_split="test")
    assert split.splits == {"train": tuple(FIRST[:2]), "validation": (tested,), "test": (tested,)}
    assert [image for image, _ in split.excluded] == FIRST[2:]


def test_unlisted_images_raise_and_isic_test_images_are_excluded(make_rows: MakeTable) -> None:
    ids = [*FIRST, "ISIC_0034524"]
    with pytest.raises(DataError, match="not in it: 1 image of this table, for example ISIC_0034524"):
        gessert2019(make_rows(ids, ["nevus"] * 5, ids=ids), fold=0)
    split = gessert2019(make_rows(ids, ["nevus"] * 5, ids=ids, parts=["train"] * 4 + ["test"]), fold=0)
    reason = "not in the official training split, which gessert2019 divides"
    assert split.excluded == (("ISIC_0034524", reason),)


@pytest.mark.real_data
def test_published_counts_and_disjoint_lesions(real_data: Path) -> None:
    folder = real_data / "ham10000"
    with (folder / "splits" / "gessert2019.csv").open() as stream:
        assert {row["image_id"]: row["part"] for row in csv.DictReader(stream)} == published_folds()
    parts: dict[str, set[str]] = {}
    with (folder / "HAM10000_metadata.csv").open() as stream:
        for row in csv.DictReader(stream):
            parts.setdefault(row["lesion_id"], set()).add(published_folds()[row["image_id"]])
    assert {len(folds) for folds in parts.values()} == {1}
