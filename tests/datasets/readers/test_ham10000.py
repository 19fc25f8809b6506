"""HAM10000 in its authors' layout: folders, conflicts, duplicates, and errors for other folders."""

import shutil
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.ham10000 import rows_from_dx
from lesionlens.datasets.registry import load_table

CLASSES = {
    "melanoma": 2,
    "nevus": 2,
    "basal_cell_carcinoma": 1,
    "actinic_keratosis": 1,
    "benign_keratosis": 1,
    "dermatofibroma": 1,
    "vascular_lesion": 1,
}


def _replace(root: Path, old: str, new: str) -> None:
    path = root / "HAM10000_metadata.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_reads_columns_from_several_folders(ham10000: Path) -> None:
    (ham10000 / "HAM10000_images_part_1" / "ISIC_0024306.jpg").rename(ham10000 / "ISIC_0024306.jpg")
    table = load_table(f"ham10000:{ham10000}", verify_images=True)
    assert table.class_counts() == CLASSES
    assert table.warnings == ()
    row = table.frame.iloc[1]
    assert row[["image_id", "lesion_id", "diagnosis_method", "site", "source", "split"]].tolist() == [
        "ISIC_0024307", "HAM_0000000", "histo", "back", "rosendahl", "",
    ]  # fmt: skip
    assert row["age"] == 5.0
    assert table.paths[0].parent == ham10000


def test_rows_without_image_and_images_without_row_warn(ham10000: Path, write_image) -> None:
    (ham10000 / "HAM10000_images_part_1" / "ISIC_0024314.jpg").unlink()
    write_image(ham10000 / "HAM10000_images_part_1" / "ISIC_0099999.jpg")
    table = load_table(str(ham10000))
    assert len(table) == 8
    assert table.warnings == (
        "rows without an image: 1 (ISIC_0024314). They are excluded.",
        "images without a row: 1 (ISIC_0099999). They have no label and are excluded.",
    )


def test_without_any_image_the_searched_folders_are_named(ham10000: Path) -> None:
    for part in (1, 2):
        shutil.rmtree(ham10000 / f"HAM10000_images_part_{part}")
    (ham10000 / "images").mkdir()
    with pytest.raises(DataError, match=r"no row has an image: 1 \(9 rows, 0 images\).*Searched .*/images"):
        load_table(f"ham10000:{ham10000}")


def test_images_of_another_dataset_raise_with_both_names(ham10000: Path, write_image) -> None:
    for part in (1, 2):
        shutil.rmtree(ham10000 / f"HAM10000_images_part_{part}")
    write_image(ham10000 / "HAM10000_images" / "ISIC_0000007.jpg")
    with pytest.raises(DataError, match=r"A row is named ISIC_0024306, an image ISIC_0000007\.jpg"):
        load_table(f"ham10000:{ham10000}")


def test_all_problems_are_reported_in_one_message(ham10000: Path, write_image) -> None:
    _replace(ham10000, "HAM_0000000,ISIC_0024307,mel", "HAM_0000000,ISIC_0024307,nv")
    _replace(ham10000, "ISIC_0024308,nv", "ISIC_0024308,wart")
    _replace(ham10000, "ISIC_0024310,akiec", "ISIC_0024309,akiec")
    write_image(ham10000 / "copy" / "ISIC_0024306.jpg", seed=99)
    (ham10000 / "HAM10000_images_part_1" / "ISIC_0024312.jpg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load_table(f"ham10000:{ham10000}")
    first, *lines = str(caught.value).splitlines()
    assert first == f"ham10000:{ham10000} cannot be used: 5 errors of 5 kinds, and 3 warnings"
    kinds = {line.split(": ")[1] for line in lines}
    assert kinds == {
        "unknown labels",
        "different images with the same id",
        "ids with conflicting rows",
        "lesions with two diagnoses",
        "files that cannot be read",
        "images without a row",
        "classes without an image",
    }
    assert "HAM_0000000: melanoma and nevus" in str(caught.value)
    assert "ISIC_0024308 'wart'" in str(caught.value)


def test_identical_files_are_a_warning(ham10000: Path) -> None:
    shutil.copytree(ham10000 / "HAM10000_images_part_1", ham10000 / "ham10000_images_part_1")
    table = load_table(f"ham10000:{ham10000}")
    assert len(table) == 9
    assert [line for line in table.warnings if line.startswith("identical image files: 5 (")]


def test_identical_rows_are_merged_with_a_warning(ham10000: Path) -> None:
    path = ham10000 / "HAM10000_metadata.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    table = load_table(f"ham10000:{ham10000}")
    assert len(table) == 9
    assert [line for line in table.warnings if line.startswith("duplicate rows: 1 (")]


def test_masks_structures_and_skin_tones_of_synthetic_images(ham10000: Path, write_image, write) -> None:
    mask = write_image(ham10000 / "masks" / "ISIC_0024306_segmentation.png")
    structures = write_image(ham10000 / "structures" / "ISIC_0024307_structures.png")
    write(ham10000 / "artifacts.csv", "image_id,hair,skin_tone", ["ISIC_0024306,1,IV"])
    write(ham10000 / "synthesis.json", "{}", [])
    frame = load_table(f"ham10000:{ham10000}").frame
    assert frame["mask_path"].tolist() == [str(mask), *[""] * 8]
    assert frame["feature_mask_paths"].tolist() == ["", str(structures), *[""] * 7]
    assert frame["skin_tone"].tolist() == ["IV", *[""] * 8]
    assert set(frame["source"]) == {"synthetic"}


def test_published_masks_are_found(ham10000: Path, write_image) -> None:
    mask = write_image(ham10000 / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0024306_segmentation.png")
    assert load_table(f"ham10000:{ham10000}").frame["mask_path"][0] == str(mask)


def test_missing_column_is_named(ham10000: Path) -> None:
    path = ham10000 / "HAM10000_metadata.csv"
    path.write_text(path.read_text().replace("lesion_id", "lesion", 1))
    with pytest.raises(DataError, match="lacks the column 'lesion_id'; it has lesion, image_id, dx"):
        load_table(f"ham10000:{ham10000}")


def test_empty_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither HAM10000_metadata\.csv nor"):
        load_table(f"ham10000:{tmp_path}")


@pytest.mark.real_data
def test_real_sample_counts_and_gaps(real_data: Path) -> None:
    table = load_table(f"ham10000:{real_data / 'ham10000'}")
    assert len(table) == 2804
    assert table.class_counts() == {
        "melanoma": 383,
        "nevus": 1500,
        "basal_cell_carcinoma": 214,
        "actinic_keratosis": 141,
        "benign_keratosis": 458,
        "dermatofibroma": 47,
        "vascular_lesion": 61,
    }
    assert len(table.warnings) == 1
    assert table.warnings[0].startswith("rows without an image: 7,211 (")


@pytest.mark.real_data
def test_published_metadata_has_the_published_counts(real_data: Path) -> None:
    path = real_data / "ham10000" / "HAM10000_metadata.csv"
    problems = IssueCollector()
    rows = rows_from_dx(read_table(path), path, problems)
    assert problems.errors == ()
    assert rows["diagnosis_method"].value_counts().to_dict() == {
        "histo": 5340,
        "follow_up": 3704,
        "consensus": 902,
        "confocal": 69,
    }
    sizes = rows.groupby("lesion_id").size()
    assert (len(rows), len(sizes), int((sizes > 1).sum())) == (10015, 7470, 1956)
    malignant = rows["diagnosis"].isin(["melanoma", "basal_cell_carcinoma", "actinic_keratosis"])
    assert set(rows["diagnosis_method"][malignant]) == {"histo"}
    assert set(rows["diagnosis"][rows["diagnosis_method"] == "confocal"]) == {"benign_keratosis"}
