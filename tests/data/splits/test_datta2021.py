"""Single-image lesions test; the paper's supports come out of the metadata."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lesionlens.datasets.splits.published import datta2021, sample_single_image_lesions
from lesionlens.datasets.table import LesionTable
from lesionlens.core.errors import DataError

Make = Callable[..., LesionTable]


def test_only_lesions_with_one_image_test(made: Make) -> None:
    table = made(90)
    split = datta2021(table, val_fraction=0.2, test_fraction=0.3, seed=0)
    images = table.frame.groupby("lesion_id")["image_id"].size()
    tested = table.select(split.splits["test"]).frame["lesion_id"]
    assert set(images[tested]) == {1}
    assert len(tested) == pytest.approx(0.3 * (images == 1).sum(), abs=1)
    assert "single image" in split.caveats[0]


def test_a_class_with_one_single_image_only_trains(rows: Make) -> None:
    table = rows([f"l{n}" for n in range(41)], ["melanoma", "nevus"] * 20 + ["benign_keratosis"])
    split = datta2021(table, val_fraction=0.2, test_fraction=0.2, seed=0)
    assert "i40" not in split.splits["test"]
    assert "classes with fewer than two single-image lesions only train: benign_keratosis" in split.caveats


def test_too_small_a_table_is_refused(rows: Make) -> None:
    table = rows(["a", "b", "c", "d"], ["melanoma", "nevus"] * 2)
    with pytest.raises(DataError, match="15% of 4 lesions with a single image cannot hold every class"):
        datta2021(table, val_fraction=0.2, test_fraction=0.15, seed=0)


@pytest.mark.real
@pytest.mark.parametrize(("share", "support"), [(0.15, 828), (0.2, 1103), (0.3, 1655)])
def test_the_papers_supports_come_out(real_data: Path, share: float, support: int) -> None:
    with (real_data / "ham10000" / "HAM10000_metadata.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    labels = np.array([row["dx"] for row in rows])
    lesions = np.array([row["lesion_id"] for row in rows])
    for seed in (0, 1):
        chosen, rare = sample_single_image_lesions(lesions, labels, fraction=share, seed=seed)
        assert len(chosen) == support
        assert rare == ()
    if support == 828:
        published = {"akiec": 23, "bcc": 26, "bkl": 66, "df": 6, "mel": 34, "nv": 663, "vasc": 10}
        assert Counter(labels[chosen]) == published
