"""ISIC 2019: eight classes, reduced images, and a ninth class and unscored images in the test split."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table

from ...helpers.tiny_datasets import write_isic2019

TEST = "ISIC_2019_Test_GroundTruth.csv"


def test_reads_classes_reduced_images_and_metadata(isic2019: Path) -> None:
    table = load_table(f"isic2019:{isic2019}", verify_images=True)
    assert table.classes[-2:] == ("squamous_cell_carcinoma", "none_of_the_others")
    assert table.class_counts()["actinic_keratosis"] == 2
    assert table.class_counts()["melanoma"] == 2  # the unscored test image is excluded
    assert table.frame["image_id"][2] == "ISIC_0000002_downsampled"
    assert table.frame["lesion_id"][1] == "BCN_0000001"
    assert (table.frame["age"][1], table.frame["site"][1]) == (5.0, "anterior torso")
    assert table.warnings == (
        "test images that the challenge does not score: 1 (ISIC_0000010). They are excluded.",
    )


def test_without_the_ninth_class_there_are_eight(isic2019: Path) -> None:
    (isic2019 / TEST).unlink()
    table = load_table(str(isic2019))
    assert len(table.classes) == 8
    assert set(table.frame["split"]) == {"train"}
    assert table.warnings == (
        "official splits without labels: 1 (test). They are excluded; download their ground truth to use them.",
    )


def test_label_file_in_the_image_folder_is_found(isic2019: Path) -> None:
    (isic2019 / TEST).rename(isic2019 / "ISIC_2019_Test_Input" / TEST)
    assert (load_table(str(isic2019)).frame["split"] == "test").sum() == 8


def test_all_test_images_count_without_weights(isic2019: Path) -> None:
    path = isic2019 / TEST
    path.write_text("\n".join(",".join(line.split(",")[:10]) for line in path.read_text().splitlines()))
    assert (load_table(str(isic2019)).frame["split"] == "test").sum() == 9


def test_missing_metadata_warns_of_leakage(isic2019: Path) -> None:
    for path in isic2019.glob("*_Metadata.csv"):
        path.unlink()
    table = load_table(str(isic2019))
    assert [line for line in table.warnings if "keep the images of one lesion together" in line]
    assert table.frame["lesion_id"].tolist() == table.frame["image_id"].tolist()


def test_two_classes_in_a_row_and_missing_labels_raise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no ISIC_2019_\*_GroundTruth\.csv"):
        load_table(f"isic2019:{tmp_path}")
    path = write_isic2019(tmp_path) / "ISIC_2019_Training_GroundTruth.csv"
    path.write_text(path.read_text().replace("ISIC_0000000,1.0,0.0", "ISIC_0000000,1.0,1.0"))
    with pytest.raises(DataError, match=r"rows without exactly one diagnosis: 1 .*ISIC_0000000"):
        load_table(f"isic2019:{tmp_path}")
