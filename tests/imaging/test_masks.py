"""Mask files: threshold, sizes, and the largest component without holes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from lesionlens.core.errors import DataError, ImageError
from lesionlens.imaging.masks import keep_largest_component, read_mask, write_mask

SHAPE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]], dtype=np.uint8)


@pytest.mark.parametrize("levels", [(0, 1), (0, 255), (128, 129), (100, 255)])
def test_lesion_pixels_are_above_mid_gray(tmp_path: Path, levels: tuple[int, int]) -> None:
    Image.fromarray(np.array(levels, np.uint8)[SHAPE]).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == (SHAPE == 1).tolist()


def test_one_bit_mask_is_read(tmp_path: Path) -> None:
    Image.fromarray(SHAPE == 1).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == (SHAPE == 1).tolist()


def test_mask_of_the_same_aspect_ratio_is_resized(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", SHAPE == 1)
    assert read_mask(tmp_path / "m.png", size=(6, 8)).tolist() == np.kron(SHAPE, np.ones((2, 2))).tolist()


def test_mask_of_another_aspect_ratio_raises(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", np.ones((30, 40), bool))
    with pytest.raises(
        DataError, match=r"40 × 30 pixels, its image 40 × 40: a mask must have the aspect ratio"
    ):
        read_mask(tmp_path / "m.png", size=(40, 40))


@pytest.mark.parametrize("nonzero", [False, True], ids=["lesion", "features"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lesion_and_feature_masks_are_read_upright(tmp_path: Path, nonzero: bool, dtype: type) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be rotated clockwise
    Image.fromarray(SHAPE.astype(dtype) * np.iinfo(dtype).max).save(tmp_path / "m.png", exif=exif)
    assert read_mask(tmp_path / "m.png", nonzero=nonzero).tolist() == (np.rot90(SHAPE, -1) == 1).tolist()


def test_missing_mask_raises_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")


def test_written_mask_has_values_0_and_255(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", SHAPE == 1)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "L"
        assert np.asarray(image).tolist() == (SHAPE * 255).tolist()


def test_largest_component_remains_without_holes() -> None:
    mask = np.array([list(row) for row in ["#....###", "##...#.#", ".....###", "#......#"]]) == "#"
    expected = np.array([list(row) for row in [".....###", ".....###", ".....###", ".......#"]]) == "#"
    assert keep_largest_component(mask).tolist() == expected.tolist()


def test_empty_and_full_masks_are_unchanged() -> None:
    for mask in (np.zeros((3, 4), bool), np.ones((3, 4), bool)):
        assert keep_largest_component(mask).tolist() == mask.tolist()
