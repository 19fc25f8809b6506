"""ISIC 2017 part 3: official layouts, and error messages."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table
from lesionlens.imaging.superpixels import union_of_features

from ...helpers.tiny_datasets import write_isic2017

TRUTH = "ISIC-2017_Training_Part3_GroundTruth.csv"


def test_reads_all_splits_and_neither_flag_is_a_nevus(isic2017: Path) -> None:
    table = load_table(f"isic2017:{isic2017}", verify_images=True)
    assert table.classes == ("melanoma", "nevus", "seborrheic_keratosis")
    assert table.class_counts() == {"melanoma": 3, "nevus": 4, "seborrheic_keratosis": 3}
    assert table.frame["split"].value_counts().to_dict() == {"train": 4, "validation": 3, "test": 3}
    assert table.warnings == ()
    assert [path.suffix for path in table.paths] == [".jpg"] * 10


def test_metadata_next_to_and_inside_the_image_folder(isic2017: Path) -> None:
    frame = load_table(f"isic2017:{isic2017}").frame.set_index("image_id")
    for first, second in (("ISIC_0000000", "ISIC_0000001"), ("ISIC_0000004", "ISIC_0000005")):
        assert (frame["age"][first], frame["sex"][first]) == (55.0, "male")
        assert frame["age"].isna()[second]
        assert frame["sex"][second] == ""


def test_metadata_is_optional(isic2017: Path) -> None:
    for path in isic2017.rglob("*metadata.csv"):
        path.unlink()
    assert load_table(f"isic2017:{isic2017}").frame["age"].isna().all()


def test_missing_split_warns_and_no_split_raises(isic2017: Path) -> None:
    shutil.rmtree(isic2017 / "ISIC-2017_Test_v2_Data")
    (isic2017 / "ISIC-2017_Test_v2_Part3_GroundTruth.csv").unlink()
    table = load_table(str(isic2017))
    assert len(table) == 7
    assert [line for line in table.warnings if "missing official splits: 1 (test)" in line]
    for path in isic2017.glob("*Part3*"):
        path.unlink()
    with pytest.raises(DataError, match=r"none of ISIC-2017_Training_Part3_GroundTruth\.csv"):
        load_table(f"isic2017:{isic2017}")


def test_split_without_images_is_excluded_with_a_count(isic2017: Path) -> None:
    shutil.rmtree(isic2017 / "ISIC-2017_Test_v2_Data")
    table = load_table(f"isic2017:{isic2017}")
    assert len(table) == 7
    assert [line for line in table.warnings if line.startswith("rows without an image: 3 (ISIC_0000007")]


def test_contradictory_and_invalid_flags_are_reported_together(isic2017: Path) -> None:
    path = isic2017 / TRUTH
    path.write_text(path.read_text().replace("0001,0.0,1.0", "0001,1.0,1.0").replace("0002,0.0", "0002,x"))
    with pytest.raises(DataError) as caught:
        load_table(f"isic2017:{isic2017}")
    message = str(caught.value)
    assert message.splitlines()[0].endswith("cannot be used: 2 errors of 2 kinds")
    assert "both melanoma and seborrheic keratosis: 1 (ISIC_0000001)" in message
    assert "ISIC_0000002 melanoma='x'" in message


def test_column_of_images_may_be_called_image(isic2017: Path) -> None:
    expected = load_table(f"isic2017:{isic2017}").frame
    path = isic2017 / TRUTH
    path.write_text(path.read_text().replace("image_id,", "image,", 1))
    pd.testing.assert_frame_equal(load_table(f"isic2017:{isic2017}").frame, expected)


def test_wrong_columns_name_actual_and_expected_ones(isic2017: Path) -> None:
    (isic2017 / TRUTH).write_text("name,mel\nISIC_0000000,1\n")
    with pytest.raises(DataError, match=r"columns \['name', 'mel'\]; expected image_id, melanoma"):
        load_table(f"isic2017:{isic2017}")


def test_masks_are_found_in_an_adjacent_part_1_folder(isic2017: Path, write_image) -> None:
    mask = write_image(isic2017 / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_0000002_segmentation.png")
    frame = load_table(f"isic2017:{isic2017}").frame
    assert frame["mask_path"].tolist() == ["", "", str(mask), *[""] * 7]


def test_features_are_named_with_their_superpixels(tmp_path: Path) -> None:
    root = write_isic2017(tmp_path, features=True)
    (root / "ISIC-2017_Training_Data" / "ISIC_0000001_superpixels.png").unlink()
    (root / "ISIC-2017_Training_Part2_GroundTruth" / "ISIC_0000002_features.json").unlink()
    table = load_table(f"isic2017:{root}")
    cells = table.frame["feature_mask_paths"].tolist()
    assert cells[1:3] == ["", ""]
    flags = root / "ISIC-2017_Training_Part2_GroundTruth" / "ISIC_0000000_features.json"
    assert cells[0] == f"{root / 'ISIC-2017_Training_Data' / 'ISIC_0000000_superpixels.png'};{flags}"
    assert set(np.unique(union_of_features(cells[0], (9, 12)))) == {0, 255}
    assert table.warnings == (
        "features without superpixels: 1 (ISIC_0000001). "
        "Unpack ID_superpixels.png next to the images to use them.",
    )


def test_upper_case_and_png_suffixes_are_images(isic2017: Path, write_image) -> None:
    folder = isic2017 / "ISIC-2017_Training_Data"
    (folder / "ISIC_0000000.jpg").rename(folder / "ISIC_0000000.JPG")
    (folder / "ISIC_0000001.jpg").unlink()
    write_image(folder / "ISIC_0000001.png", seed=77)
    assert len(load_table(f"isic2017:{isic2017}")) == 10


@pytest.mark.real_data
def test_real_sample_has_the_published_counts(real_data: Path) -> None:
    table = load_table(f"isic2017:{real_data / 'isic2017'}")
    counts = table.frame.groupby(["split", "diagnosis"]).size().to_dict()
    assert counts == {
        ("train", "melanoma"): 374,
        ("train", "seborrheic_keratosis"): 254,
        ("train", "nevus"): 1372,
        ("validation", "melanoma"): 30,
        ("validation", "seborrheic_keratosis"): 42,
        ("validation", "nevus"): 78,
    }
    assert [line for line in table.warnings if "(test)" in line]
