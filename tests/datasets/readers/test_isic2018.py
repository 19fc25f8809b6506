"""ISIC 2018 task 3: the images of HAM10000 in the challenge's layout."""

from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table

from ...helpers.images import write_image, write_lines
from ...helpers.tiny_datasets import HAM10000_CODES, write_ham10000


@pytest.mark.parametrize("name", ["isic2018", "ham10000"])
def test_unlabeled_splits_are_skipped_with_a_warning(isic2018: Path, name: str) -> None:
    table = load_table(f"{name}:{isic2018}", verify_images=True)
    assert table.frame["split"].value_counts().to_dict() == {"train": 7, "validation": 2}
    assert table.class_counts()["nevus"] == 2
    assert table.class_counts()["vascular_lesion"] == 1
    assert table.warnings == (
        "official splits without labels: 1 (test). They are excluded; download their ground truth to use them.",
    )


def test_confirmation_methods_are_named_as_in_ham10000(isic2018: Path) -> None:
    frame = load_table(f"isic2018:{isic2018}").frame
    assert frame["diagnosis_method"].tolist()[:5] == ["histo", "follow_up", "consensus", "confocal", "histo"]
    assert frame["lesion_id"].tolist()[:2] == ["HAM_0", "HAM_1"]
    assert frame["lesion_id"][8] == frame["image_id"][8]


def test_missing_lesion_groupings_warn_of_leakage(isic2018: Path) -> None:
    (isic2018 / "ISIC2018_Task3_Training_LesionGroupings.csv").unlink()
    table = load_table(f"isic2018:{isic2018}")
    assert [line for line in table.warnings if "keep the images of one lesion together" in line]


@pytest.mark.parametrize("row", ["1.0,1.0,0,0,0,0,0", "0,0,0,0,0,0,0", "0.5,0,0,0,0,0,0", "x,1,0,0,0,0,0"])
def test_row_without_exactly_one_diagnosis_raises(isic2018: Path, row: str) -> None:
    path = isic2018 / "ISIC2018_Task3_Validation_GroundTruth.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], f"{lines[2].split(',')[0]},{row}"]))
    with pytest.raises(DataError, match=r"rows without exactly one diagnosis: 1 .*ISIC_0024314"):
        load_table(f"isic2018:{isic2018}")


def test_column_of_images_may_be_called_image_id(isic2018: Path) -> None:
    expected = load_table(f"isic2018:{isic2018}").frame
    (path,) = isic2018.rglob("ISIC2018_Task3_Training_GroundTruth.csv")
    path.write_text(path.read_text().replace("image,", "image_id,", 1))
    pd.testing.assert_frame_equal(load_table(f"isic2018:{isic2018}").frame, expected)


def test_bare_folder_is_detected(isic2018: Path) -> None:
    assert load_table(str(isic2018)).name == "isic2018"


def test_name_isic2018_reads_the_layout_of_ham10000(ham10000: Path) -> None:
    assert len(load_table(f"isic2018:{ham10000}")) == 9


def test_empty_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no ISIC2018_Task3_"):
        load_table(f"isic2018:{tmp_path}")


def _write_dataverse(root: Path) -> Path:
    """Write HAM10000 with the test split of ISIC 2018, as the authors of HAM10000 distribute both."""
    write_ham10000(root)
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"
    rows = [
        f"HAMTEST_{n},ISIC_{34524 + n:07d},{dx},histo,50.0,male,back,x" for n, dx in enumerate(HAM10000_CODES)
    ]
    for number in range(len(rows)):
        write_image(root / "ISIC2018_Task3_Test_Images" / f"ISIC_{34524 + number:07d}.jpg", seed=99 + number)
    write_lines(root / "ISIC2018_Task3_Test_GroundTruth.csv", header, rows)
    return root


def test_test_split_of_the_dataverse_is_read(tmp_path: Path) -> None:
    frame = load_table(f"isic2018:{_write_dataverse(tmp_path)}").frame
    assert frame["split"].value_counts().to_dict() == {"train": 9, "test": 7}
    test = frame[frame["split"] == "test"]
    assert test["lesion_id"].tolist() == [f"HAMTEST_{number}" for number in range(7)]
    assert test["diagnosis"].tolist()[:2] == ["melanoma", "nevus"]
    assert set(frame["diagnosis_method"]) == {"histo"}


def test_test_split_of_the_dataverse_is_not_ham10000(tmp_path: Path) -> None:
    for source in (f"ham10000:{_write_dataverse(tmp_path)}", str(tmp_path)):
        table = load_table(source)
        assert (table.name, len(table)) == ("ham10000", 9)
        (warning,) = table.warnings
        assert warning.startswith("images of the official test split of ISIC 2018: 7 (ISIC_0034524, ")
        assert warning.endswith(f"They are excluded; isic2018:{tmp_path} reads both.")
        assert {reason for _, reason in table.excluded} == {
            "in the official test split of ISIC 2018, which is not part of HAM10000"
        }


def test_own_runs_in_an_official_folder_are_skipped(isic2018: Path) -> None:
    for name in ("metadata.json", "recipe.yaml"):
        write_lines(isic2018 / "run" / name, "", [])
    for image in sorted((isic2018 / "ISIC2018_Task3_Training_Input").iterdir()):
        write_image(isic2018 / "run" / "attention_maps" / f"{image.stem}.png", seed=5)
    table = load_table(f"isic2018:{isic2018}")
    assert [warning.split(":")[0] for warning in table.warnings] == ["official splits without labels"]
