"""ISBI 2016 part 3: labels without a header, in words and in numbers, and two places for the masks."""

import shutil
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table

from ...helpers.tiny_datasets import write_isic2016

STEM = "ISBI2016_ISIC_Part3"


def test_words_and_numbers_are_the_same_labels(isic2016: Path) -> None:
    table = load_table(f"isic2016:{isic2016}", verify_images=True)
    assert table.classes == ("melanoma", "benign")
    assert table.frame["diagnosis"].tolist() == [
        "benign", "melanoma", "benign", "melanoma", "benign", "melanoma", "benign",
    ]  # fmt: skip
    assert table.frame["split"].tolist() == ["train"] * 4 + ["test"] * 3
    assert table.warnings == ()


def test_masks_of_part_1_come_before_those_beside_the_images(tmp_path: Path, draw) -> None:
    root = write_isic2016(tmp_path, masks=True)
    beside = root / f"{STEM}B_Test_Data"
    for name in ("ISIC_0000004", "ISIC_0000005"):
        shutil.copy(root / f"{STEM}_Test_Data" / f"{name}.jpg", (beside.mkdir(exist_ok=True), beside)[1])
        draw(beside / f"{name}_Segmentation.png")
    (root / "ISBI2016_ISIC_Part1_Test_GroundTruth" / "ISIC_0000005_Segmentation.png").unlink()
    masks = load_table(f"isic2016:{root}").frame.set_index("image_id")["mask_path"]
    assert masks["ISIC_0000000"].endswith("Part1_Training_GroundTruth/ISIC_0000000_Segmentation.png")
    assert masks["ISIC_0000004"].endswith("Part1_Test_GroundTruth/ISIC_0000004_Segmentation.png")
    assert masks["ISIC_0000005"] == str(beside / "ISIC_0000005_Segmentation.png")


def test_part_3b_alone_is_read(isic2016: Path) -> None:
    for path in sorted(isic2016.iterdir()):
        path.rename(path.with_name(path.name.replace("Part3_", "Part3B_")))
    assert len(load_table(str(isic2016))) == 7


def test_a_missing_part_is_a_warning_and_both_an_error(isic2016: Path) -> None:
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
    ("line", "said"),
    [
        ("ISIC_0000003,maybe", r"neither benign nor malignant: 1 \(.*ISIC_0000003 'maybe'\)"),
        ("ISIC_0000003,benign,1", "line 4 has 3 cells, expected: image_id, label"),
    ],
)
def test_what_the_organisers_did_not_write_is_refused(isic2016: Path, line: str, said: str) -> None:
    path = isic2016 / f"{STEM}_Training_GroundTruth.csv"
    path.write_text(path.read_text().replace("ISIC_0000003,malignant", line))
    with pytest.raises(DataError, match=said):
        load_table(f"isic2016:{isic2016}")
