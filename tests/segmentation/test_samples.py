"""Samples from tables with masks: used and excluded rows, and their splits."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.samples import load_source_tables, samples_by_split, split_samples


def write_table(folder: Path, *, masks: int, images: int = 12, split: str = "") -> str:
    """Write a custom table whose first rows have a mask."""
    folder.mkdir()
    rows = []
    for number in range(images):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        Image.fromarray(np.full((12, 16), 255, np.uint8)).save(folder / f"{number:02d}_mask.tif")
        rows.append(
            {
                "image": f"{number:02d}.png",
                "label": ("nevus", "melanoma")[number % 2],
                "mask_path": str(folder / f"{number:02d}_mask.tif") if number < masks else "",
                "split": split,
            }
        )
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return f"table:{folder / 't.csv'}"


def test_rows_without_a_mask_are_excluded(tmp_path: Path) -> None:
    sources = load_source_tables([write_table(tmp_path / "a", masks=10)])
    assert len(sources.samples) == 10
    assert sources.excluded == (ExcludedImage("10", "", "no mask"), ExcludedImage("11", "", "no mask"))


def test_images_of_an_earlier_table_are_excluded(tmp_path: Path) -> None:
    first = write_table(tmp_path / "a", masks=12)
    second = write_table(tmp_path / "b", masks=14, images=14)
    sources = load_source_tables([first, second])
    assert len(sources.samples) == 14
    assert {image.image_id for image in sources.excluded} == {f"{number:02d}" for number in range(12)}
    assert sources.excluded[0].reason == f"{first} already has an image with this id"


def test_table_without_masks_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no mask to train on: no mask"):
        load_source_tables([write_table(tmp_path / "a", masks=0)])


def test_lesions_are_held_out_and_unusable_images_have_no_split(tmp_path: Path) -> None:
    sources = load_source_tables([write_table(tmp_path / "a", masks=12)])
    split = split_samples(
        sources, [ExcludedImage("03", "", "empty")], SegmentationConfig(val_fraction=0.25, test_fraction=0.25)
    )
    parts = samples_by_split(sources, split)
    assert set(parts) == {"train", "validation", "test"}
    ids = sorted(case.image_id for cases in parts.values() for case in cases)
    assert ids == [f"{number:02d}" for number in range(12) if number != 3]


def test_official_splits_are_used_if_there_are_any(tmp_path: Path) -> None:
    sources = load_source_tables([write_table(tmp_path / "a", masks=12, split="train")])
    assert "test" not in split_samples(sources, [], SegmentationConfig(val_fraction=0.25)).splits
    assert (
        "test"
        in split_samples(
            sources, [], SegmentationConfig(split="group_holdout", val_fraction=0.25, test_fraction=0.25)
        ).splits
    )


def test_splits_of_two_tables_are_joined(tmp_path: Path) -> None:
    official = write_table(tmp_path / "a", masks=12, split="train")
    read = load_source_tables([official, write_table(tmp_path / "b", masks=40, images=40)])
    split = split_samples(read, [], SegmentationConfig(val_fraction=0.25, test_fraction=0.25))
    assert sum(map(len, split.splits.values())) == 40
    assert split.description.count("table: ") == 2


def test_nothing_usable_raises_with_reasons(tmp_path: Path) -> None:
    sources = load_source_tables([write_table(tmp_path / "a", masks=1)])
    with pytest.raises(DataError, match=r"that of 00: the mask is empty"):
        split_samples(sources, [ExcludedImage("00", "", "the mask is empty")], SegmentationConfig())


def test_exclusions_and_leakage_of_a_split_are_reported(tmp_path: Path) -> None:
    source = write_table(tmp_path / "a", masks=12)
    rows = pd.read_csv(tmp_path / "a" / "t.csv")
    rows["split"] = ["train"] * 8 + ["validation"] * 3 + [""]
    rows.to_csv(tmp_path / "a" / "t.csv", index=False)
    (tmp_path / "a" / "08.png").write_bytes((tmp_path / "a" / "00.png").read_bytes())
    split = split_samples(load_source_tables([source]), [], SegmentationConfig())
    assert split.excluded == (("11", "in no official split"),)
    assert any("identical copy in another split (00 and 08)" in remark.text for remark in split.caveats)


def test_one_image_is_too_few_to_train_on(tmp_path: Path) -> None:
    source = write_table(tmp_path / "a", masks=12)
    rows = pd.read_csv(tmp_path / "a" / "t.csv")
    rows["split"] = ["train", *["validation"] * 11]
    rows.to_csv(tmp_path / "a" / "t.csv", index=False)
    with pytest.raises(DataError, match="Only one image with a mask"):
        split_samples(load_source_tables([source]), [], SegmentationConfig())
