"""ISBI 2016 part 3: labels without header, as words or numbers, and two mask folders."""

import shutil
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table

from ...helpers.tiny_datasets import write_isic2016

STEM = "ISBI2016_ISIC_Part3"


def test_labels_as_words_and_numbers_are_equal(isic2016: Path) -> None:
    table = load_table(f"isic2016:{isic2016}", verify_images=True)
    assert table.classes == ("melanoma", "benign")
    assert table.frame["diagnosis"].tolist() == [
        "benign", "melanoma", "benign", "melanoma", "benign", "melanoma", "benign",
    ]  # fmt: skip
    assert table.frame["split"].tolist() == ["train"] * 4 + ["test"] * 3
    assert table.warnings == ()


def test_masks_of_part_1_precede_those_in_the_image_folder(tmp_path: Path, write_image) -> None:
    root = write_isic2016(tmp_path, masks=True)
    image_folder = root / f"{STEM}B_Test_Data"
    for name in ("ISIC_0000004", "ISIC_0000005"):
        shutil.copy(
            root / f"{STEM}_Test_Data" / f"{name}.jpg", (image_folder.mkdir(exist_ok=True), image_folder)[1]
        )
        write_image(image_folder / f"{name}_Segmentation.png")
    (root / "ISBI2016_ISIC_Part1_Test_GroundTruth" / "ISIC_0000005_Segmentation.png").unlink()
    masks = load_table(f"isic2016:{root}").frame.set_index("image_id")["mask_path"]
    assert masks["ISIC_0000000"].endswith("Part1_Training_GroundTruth/ISIC_0000000_Segmentation.png")
    assert masks["ISIC_0000004"].endswith("Part1_Test_GroundTruth/ISIC_0000004_Segmentation.png")
    assert masks["ISIC_0000005"] == str(image_folder / "ISIC_0000005_Segmentation.png")


def test_part_3b_layout_is_read(isic2016: Path) -> None:
    for path in sorted(isic2016.iterdir()):
        path.rename(path.with_name(path.name.replace("Part3_", "Part3B_")))
    assert len(load_table(str(isic2016))) == 7


def test_one_missing_split_warns_and_two_raise(isic2016: Path) -> None:
    (isic2016 / f"{STEM}_Test_GroundTruth.csv").unlink()
    shutil.rmtree(isic2016 / f"{STEM}_Test_Data")
    table = load_table(str(isic2016))
    assert len(table) == 4
    assert table.warnings == (
        "missing official splits: 1 (test). Download them to train and compare on the official splits.",
    )
    (isic2016 / f"{STEM}_Training_GroundTruth.csv").unlink()
    with pytest.raises(DataError, match=r"no ISBI2016_ISIC_Part3_\*_GroundTruth\.csv is there"):
        load_table(f"isic2016:{isic2016}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ISIC_0000003,maybe", r"neither benign nor malignant: 1 \(.*ISIC_0000003 'maybe'\)"),
        ("ISIC_0000003,benign,1", "line 4 has 3 cells, expected: image_id, label"),
    ],
)
def test_unexpected_content_is_rejected(isic2016: Path, line: str, message: str) -> None:
    path = isic2016 / f"{STEM}_Training_GroundTruth.csv"
    path.write_text(path.read_text().replace("ISIC_0000003,malignant", line))
    with pytest.raises(DataError, match=message):
        load_table(f"isic2016:{isic2016}")
