"""Validation of masks: mismatched and damaged files are named, and decoded only on request."""

from pathlib import Path

import pytest
from PIL import Image

from lesionlens.datasets.registry import load_table

from ..helpers.images import write_mask
from ..helpers.tiny_datasets import write_isic2017


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_isic2017(tmp_path, size=(40, 30), masks=True, features=True)


def test_matching_masks_have_no_warning(root: Path) -> None:
    assert load_table(f"isic2017:{root}", verify_images=True).warnings == ()


def test_mismatched_masks_and_flags_are_reported(root: Path) -> None:
    write_mask(root / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_0000001_segmentation.png", size=(30, 40))
    flags = root / "ISIC-2017_Validation_Part2_GroundTruth" / "ISIC_0000004_features.json"
    flags.write_text('{"streaks": [1, 0]}')
    (warning,) = load_table(f"isic2017:{root}", verify_images=True).warnings
    assert warning.startswith("masks that cannot be used: 2 (the mask ")
    assert "ISIC_0000001_segmentation.png has 30 × 40 pixels" in warning
    assert f"{flags} does not fit" in warning
    assert "streaks has flags for 2 superpixels, the image has 140" in warning
    assert load_table(f"isic2017:{root}").warnings == ()


def test_damaged_mask_is_reported_but_not_another_size(root: Path) -> None:
    folder = root / "ISIC-2017_Training_Part1_GroundTruth"
    write_mask(folder / "ISIC_0000000_segmentation.png", size=(400, 300))
    (folder / "ISIC_0000003_segmentation.png").write_bytes(b"")
    (warning,) = load_table(f"isic2017:{root}", verify_images=True).warnings
    assert warning.startswith("masks that cannot be used: 1 (")
    assert "the file is empty" in warning


def test_image_rotated_by_exif_matches_its_upright_mask(root: Path) -> None:
    path = root / "ISIC-2017_Training_Data" / "ISIC_0000000.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (30, 40)).save(path, exif=exif)
    assert load_table(f"isic2017:{root}", verify_images=True).warnings == ()
