"""Summary of a table: counts, 80 columns, and synthetic images marked as such."""

from pathlib import Path

import pytest

from lesionlens.core.errors import ImageError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.summary import summarize_table

from ..helpers.tiny_datasets import write_ham10000, write_isic2018


def _row(text: str, name: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(name))


def test_summary_has_classes_lesions_sizes_gaps_and_license(ham10000: Path, write_image) -> None:
    write_image(ham10000 / "HAM10000_images_part_1" / "ISIC_0024306.jpg", size=(60, 45))
    (ham10000 / "HAM10000_images_part_1" / "ISIC_0024314.jpg").unlink()
    text = summarize_table(load_table(f"ham10000:{ham10000}"))
    assert text.startswith("HAM10000: 8 images\n")
    assert _row(text, "melanoma") == ["melanoma", "2", "25.0", "%", "1"]
    assert _row(text, "all") == ["all", "8", "100.0", "%", "7"]
    assert "7; 1 with more than one image, at most 2" in text
    assert "12 to 60 (median 12) × 9 to 45 (median 9) pixels" in text
    assert "0 to 35 years (median 17.5)" in text
    assert "histopathology 8" in text
    assert "for all images: patient_id, skin_tone, mask_path, feature_mask_paths, split" in " ".join(
        text.split()
    )
    assert "CC BY-NC 4.0" in text
    assert "no: 8 of 10,015 images" in text
    assert "Tschandl" in text
    assert "- rows without an image: 1 (ISIC_0024314)" in text


def test_official_splits_have_columns(isic2017: Path) -> None:
    text = summarize_table(load_table(f"isic2017:{isic2017}"))
    assert _row(text, "Class") == ["Class", "train", "validation", "test", "images", "percent", "lesions"]
    assert _row(text, "nevus") == ["nevus", "2", "1", "1", "4", "40.0", "%", "4"]
    assert "age 7, sex 7 of 10 images" in text
    assert "Warnings" not in text
    assert "no: train 4 of 2,000, validation 3 of 150, test 3 of 600" in text


@pytest.mark.parametrize("fixture", ["isic2016", "isic2017", "ham10000", "isic2018", "isic2019", "derm7pt"])
def test_summary_fits_80_columns(fixture: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(fixture)
    text = summarize_table(load_table(f"{fixture}:{root}"))
    assert max(len(line) for line in text.splitlines() if str(root) not in line) <= 80


def test_synthetic_images_have_no_license(ham10000: Path, write) -> None:
    write(ham10000 / "synthesis.json", "{}", [])
    text = summarize_table(load_table(f"ham10000:{ham10000}"))
    assert text.startswith("Synthetic images: 9 images\n")
    assert "not real skin" in text
    assert "Tschandl" not in text


def test_custom_table_counts_patients(tmp_path: Path, write_image, write) -> None:
    for number in range(3):
        write_image(tmp_path / f"{number}.jpg", seed=number)
    long = "a_class_with_a_name_longer_than_any_column"
    write(tmp_path / "mine.csv", "image,label,patient_id", [f"0,{long},A", "1,b,A", "2,b,B"])
    text = summarize_table(load_table(str(tmp_path / "mine.csv"), classes=[long, "b"]))
    assert _row(text, "Patients") == ["Patients", "2"]
    assert _row(text, "a_class")[1:] == ["1", "33.3", "%", "1"]


def test_single_class_unknown_lesions_and_skips_are_named(tmp_path: Path, write_image, write) -> None:
    for number in range(3):
        write_image(tmp_path / f"{number}.jpg", seed=number)
    for name in ("a.heic", "b.heic", "c.dcm"):
        (tmp_path / name).touch()
    text = summarize_table(
        load_table(str(write(tmp_path / "t.csv", "image,label", ["0,nv", "1,nv", "2,nv"])))
    )
    assert "Classes         only nevus has images; a classifier needs two classes" in text
    assert "Lesions         unknown: every image counts as its own lesion" in text
    assert "Skipped         .heic (2), .dcm (1)" in text
    rows = ["0,nv,L1", "1,mel,#N/A", "2,nv,L1"]
    text = summarize_table(load_table(str(write(tmp_path / "t.csv", "image,label,lesion_id", rows))))
    assert "Lesions         2; 1 with more than one image, at most 2; unknown for 1 image" in text
    assert "Classes  " not in text


def test_missing_file_is_named(ham10000: Path) -> None:
    table = load_table(f"ham10000:{ham10000}")
    table.paths[0].unlink()
    with pytest.raises(ImageError, match="No such file"):
        summarize_table(table)


@pytest.mark.real_data
def test_summary_of_the_real_sample(real_data: Path) -> None:
    text = summarize_table(load_table(f"ham10000:{real_data / 'ham10000'}"))
    assert _row(text, "nevus") == ["nevus", "1,500", "53.5", "%", "1,500"]
    assert "224 × 224 pixels" in text


@pytest.mark.parametrize("name", ["ham10000", "isic2018"])
def test_each_distribution_of_ham10000_has_its_own_counts(tmp_path: Path, name: str) -> None:
    ours, challenge = write_ham10000(tmp_path / "ham"), write_isic2018(tmp_path / "challenge")
    assert "no: 9 of 10,015 images" in summarize_table(load_table(f"{name}:{ours}"))
    text = " ".join(summarize_table(load_table(f"{name}:{challenge}")).split())
    assert "no: train 7 of 10,015, validation 2 of 193, test 0 of 1,512" in text
