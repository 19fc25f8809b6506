"""Samples of a dataset: repeatable, in order, with images of every split and class."""

import pandas as pd
import pytest

from lesionlens.datasets.image_sample import sample_images
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable

from ..helpers.images import write_image, write_lines


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LesionTable:
    folder = tmp_path_factory.mktemp("sample")
    rows = []
    for number in range(60):
        write_image(folder / f"{number}.png", seed=number)
        label = "melanoma" if number % 10 == 0 else "nevus"
        rows.append(f"{number}.png,{label},{'test' if number >= 40 else 'train'}")
    write_lines(folder / "t.csv", "image,label,split", rows)
    return load_table(f"table:{folder / 't.csv'}")


@pytest.mark.parametrize("max_images", [1, 4, 10, 59])
def test_samples_are_balanced_and_in_order(table: LesionTable, max_images: int) -> None:
    sample = sample_images(table, max_images).frame
    assert len(sample) == max_images
    ids = list(table.frame["image_id"])
    assert list(sample["image_id"]) == sorted(sample["image_id"], key=ids.index)
    available = pd.crosstab(table.frame["split"], table.frame["diagnosis"])
    counts = pd.crosstab(sample["split"], sample["diagnosis"]).reindex_like(available).fillna(0)
    incomplete = counts.where(counts < available)  # strata that are not used up
    assert counts.max().max() - incomplete.min().min() <= 1 or incomplete.isna().all().all()
    assert sample_images(table, max_images).frame.equals(sample)


def test_small_tables_are_unchanged(table: LesionTable) -> None:
    assert sample_images(table, 60) is table
