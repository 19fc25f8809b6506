"""Preprocessing: boxes and pixels of crops, lesion ROI, and TTA."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError, RecipeError
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing


def test_crops_are_the_pixels_in_the_boxes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    preprocessing = Preprocessing(input_size=(224, 224), crops="grid", crop_count=5)
    boxes = preprocessing.crop_boxes(450, 600)
    assert boxes[3:] == [CropBox(226, 376, 224, 224), CropBox(113, 188, 224, 224)]
    parts = [image[top : top + 224, left : left + 224] for top, left, *_ in boxes]
    np.testing.assert_array_equal(
        preprocessing.extract_crops(image), np.stack(parts)
    )  # the paper's size: not resized


def test_random_boxes_are_reproducible() -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 60, 3), dtype=np.uint8)
    preprocessing = Preprocessing(input_size=(22, 22), crops="random-square", crop_count=3, seed=4)
    parts = [image[top : top + 22, left : left + 22] for top, left, *_ in preprocessing.crop_boxes(45, 60)]
    np.testing.assert_array_equal(preprocessing.extract_crops(image), np.stack(parts))
    assert len(set(preprocessing.crop_boxes(45, 60))) == 3


@pytest.mark.parametrize(
    ("crops", "count"), [("grid", 9), ("multi-scale", 4), ("attnmel-center", 1), ("full", 1)]
)
def test_crops_of_a_region_equal_those_of_its_image(crops: Any, count: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    region = CropBox(37, 91, 301, 403)
    preprocessing = Preprocessing(input_size=(64, 48), crops=crops, crop_count=count, seed=3)
    inside = image[37:338, 91:494]
    np.testing.assert_array_equal(
        preprocessing.extract_crops(image, region), preprocessing.extract_crops(inside)
    )
    shifted = [box.shifted(37, 91) for box in preprocessing.crop_boxes(301, 403)]
    assert preprocessing.crop_boxes(450, 600, region) == shifted


def test_lesion_roi_is_the_bounding_box_of_the_mask(tmp_path: Path) -> None:
    image, mask = np.zeros((90, 120, 3), np.uint8), np.zeros((180, 240), np.uint8)
    mask[40:80, 60:160] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(mask * 0).save(tmp_path / "empty.png")
    names: dict[str, Any] = {"source": tmp_path / "image.jpg"}
    assert Preprocessing(roi_margin=0).lesion_roi(image, tmp_path / "mask.png", **names) == CropBox(
        20, 30, 20, 50
    )
    assert Preprocessing(roi_margin=0.5).lesion_roi(image, tmp_path / "mask.png", **names) == CropBox(
        10, 5, 40, 100
    )
    assert Preprocessing().lesion_roi(image, tmp_path / "mask.png", **names) is None
    assert Preprocessing(roi_margin=0.5).lesion_roi(image, tmp_path / "empty.png", **names) is None
    assert Preprocessing(roi_margin=0.5).lesion_roi(image, None, **names) is None
    with pytest.raises(
        DataError, match=r"mask\.png has 240 × 180 pixels, its image .*image\.jpg, as it is used, 90 × 90"
    ):
        Preprocessing(roi_margin=0).lesion_roi(image[:, :90], tmp_path / "mask.png", **names)


def test_dihedral_tta_needs_a_square_input() -> None:
    with pytest.raises(
        RecipeError, match=r"tta=dihedral needs a square input, .* is 224 × 299; use .*=flips"
    ):
        Preprocessing(input_size=(224, 299), tta="dihedral")
    assert Preprocessing(input_size=(224, 299), tta="flips").tta == "flips"
