"""derm7pt: twenty diagnoses in six classes, and excluded cases."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.readers.derm7pt import DERM7PT_CLASSES, DERM7PT_READER
from lesionlens.datasets.registry import load_table

from ...helpers.tiny_datasets import DERM7PT_DIAGNOSES, write_derm7pt

# Number of cases of each label in the published metadata.
PUBLISHED = {
    "basal cell carcinoma": 42,
    "blue nevus": 28,
    "clark nevus": 399,
    "combined nevus": 13,
    "congenital nevus": 17,
    "dermal nevus": 33,
    "recurrent nevus": 6,
    "reed or spitz nevus": 79,
    "melanoma": 1,
    "melanoma (in situ)": 64,
    "melanoma (less than 0.76 mm)": 102,
    "melanoma (0.76 to 1.5 mm)": 53,
    "melanoma (more than 1.5 mm)": 28,
    "melanoma metastasis": 4,
    "dermatofibroma": 20,
    "lentigo": 24,
    "melanosis": 16,
    "miscellaneous": 8,
    "vascular lesion": 29,
    "seborrheic keratosis": 45,
}


def test_classes_splits_and_metadata(derm7pt: Path) -> None:
    table = load_table(str(derm7pt), verify_images=True)
    assert table.name == "derm7pt"
    assert table.classes == DERM7PT_CLASSES
    assert "actinic_keratosis" not in table.classes
    assert table.frame["split"].value_counts().to_dict() == {"train": 9, "validation": 9, "test": 9}
    assert table.frame.loc[1, ["image_id", "diagnosis", "lesion_id", "sex", "site"]].tolist() == [
        "Nel003", "nevus", "2", "female", "back",
    ]  # fmt: skip
    assert table.paths[1] == derm7pt / "images" / "NEL" / "Nel003.jpg"


def test_cases_without_a_class_are_excluded_with_a_warning(derm7pt: Path) -> None:
    table = load_table(f"derm7pt:{derm7pt}")
    assert len(table) == 27
    assert table.warnings == (
        "cases outside the seven classes: 6 (Nel019, Nel021, Nel041, Nel043, Nel063, …). They are excluded.",
    )


def test_published_labels_give_table_1_of_the_patch_paper(tmp_path: Path, write_image) -> None:
    assert sum(PUBLISHED.values()) == 1011
    root = write_derm7pt(tmp_path, tuple(PUBLISHED))
    frame = load_table(f"derm7pt:{root}").frame
    label = dict(zip(frame["image_id"], frame["diagnosis"], strict=True))
    counts = dict.fromkeys(DERM7PT_CLASSES, 0)
    for number, images in enumerate(PUBLISHED.values()):
        if (name := f"Nel{2 * number + 1:03d}") in label:
            counts[label[name]] += images
    # Gessert et al. 2020, Table I, SPC
    assert list(counts.values()) == [252, 575, 42, 69, 20, 29]
    assert DERM7PT_READER.expected == {"": sum(counts.values())}


def test_parent_folder_and_other_letter_case_are_read(tmp_path: Path) -> None:
    root = write_derm7pt(tmp_path / "release_v0", DERM7PT_DIAGNOSES)
    (root / "images" / "NEL").rename(root / "images" / "nel")
    assert len(load_table(f"derm7pt:{tmp_path}")) == 9


def test_ids_of_repeated_names_include_the_folder(tmp_path: Path, write_image) -> None:
    root = write_derm7pt(tmp_path, DERM7PT_DIAGNOSES)
    path = root / "meta" / "meta.csv"
    path.write_text(path.read_text().replace("NEL/Nel003.jpg", "NFL/Nel001.jpg"))
    write_image(root / "images" / "NFL" / "Nel001.jpg", seed=99)
    assert load_table(str(root)).frame["image_id"].tolist()[:2] == ["NEL/Nel001", "NFL/Nel001"]


def test_missing_image_and_missing_list_are_warnings(derm7pt: Path) -> None:
    (derm7pt / "images" / "NEL" / "Nel001.jpg").unlink()
    (derm7pt / "meta" / "valid_indexes.csv").unlink()
    table = load_table(str(derm7pt))
    assert (table.frame["split"] == "").sum() == 9
    assert [line for line in table.warnings if "missing official splits: 1 (valid_indexes.csv)" in line]
    assert [line for line in table.warnings if "rows without an image: 1 (Nel001)" in line]


def test_unknown_labels_and_invalid_indices_raise(derm7pt: Path) -> None:
    path = derm7pt / "meta" / "meta.csv"
    path.write_text(path.read_text().replace("2,clark nevus", "2,wart", 1))
    with (derm7pt / "meta" / "test_indexes.csv").open("a") as file:
        file.write("0\n999\n")
    with pytest.raises(DataError) as caught:
        load_table(f"derm7pt:{derm7pt}")
    assert "unknown labels: 1 (Nel003 wart)" in str(caught.value)
    assert "indices: 2 (test_indexes.csv: 0, test_indexes.csv: 999)" in str(caught.value)


def test_another_layout_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no meta/train_indexes\.csv"):
        load_table(f"derm7pt:{tmp_path}")
    root = write_derm7pt(tmp_path)
    (root / "meta" / "meta.csv").write_text("case_num,derm\n1,a.jpg\n")
    with pytest.raises(DataError, match="lacks the column 'diagnosis'; it has case_num, derm"):
        load_table(f"derm7pt:{tmp_path}")
