"""ISIC 2018 task 1: masks without diagnoses, also next to other datasets."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.summary import summarize_table
from lesionlens.imaging.superpixels import union_of_features

from ...helpers.images import write_image, write_mask
from ...helpers.tiny_datasets import write_isic2018, write_isic2018_task1


def test_rows_have_masks_and_no_diagnosis(tmp_path: Path) -> None:
    table = load_table(str(write_isic2018_task1(tmp_path)), verify_images=True)
    assert table.name == "isic2018-task1"
    assert table.classes == ()
    assert table.class_counts() == {}
    assert set(table.frame["diagnosis"]) == {""}
    assert table.frame["split"].tolist() == ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert all(Path(path).is_file() for path in table.frame["mask_path"])
    assert table.warnings == ()
    assert "train 3 of 2,594" in summarize_table(table)


def test_attribute_masks_are_united(tmp_path: Path) -> None:
    frame = load_table(f"isic2018-task1:{write_isic2018_task1(tmp_path, attributes=True)}").frame
    cells = frame["feature_mask_paths"]
    assert [len(cell.split(";")) for cell in cells[:3]] == [5, 5, 5]
    assert cells[3] == ""
    assert union_of_features(cells[0], (9, 12)).max() == 255


def test_missing_split_and_missing_mask_are_reported(tmp_path: Path) -> None:
    root = write_isic2018_task1(tmp_path, (3, 0, 1))
    (root / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    table = load_table(f"isic2018-task1:{root}")
    assert table.frame["mask_path"].tolist()[1] == ""
    assert table.warnings == (
        "missing official splits: 1 (validation). Download them to train and compare on the official splits.",
        "images without a mask: 1 (ISIC_0000001). They are included.",
    )


def test_without_any_mask_it_is_another_dataset(isic2018: Path) -> None:
    with pytest.raises(DataError, match="none of ISIC2018_Task1_Training_GroundTruth"):
        load_table(f"isic2018-task1:{isic2018}")


def test_task_3_next_to_task_1_uses_its_masks_not_its_images(tmp_path: Path) -> None:
    root = write_isic2018_task1(write_isic2018(tmp_path))
    mask = write_mask(root / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0024307_segmentation.png")
    table = load_table(str(root))
    assert table.name == "isic2018"
    assert not [line for line in table.warnings if "without a row" in line]
    assert table.frame["mask_path"].tolist()[:3] == ["", str(mask), ""]
    write_image(root / "ISIC2018_Task3_Training_Input" / "ISIC_0099999.jpg")
    assert [line for line in load_table(str(root)).warnings if "without a row: 1 (ISIC_0099999)" in line]
