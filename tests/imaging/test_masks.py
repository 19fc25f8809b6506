"""Mask files: what counts as lesion, sizes, one region without holes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError, ImageError
from lesionlens.imaging.masks import keep_largest_component, read_mask, write_mask

SHAPE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]], dtype=np.uint8)


@pytest.mark.parametrize("levels", [(0, 1), (0, 255), (128, 129), (100, 255)])
def test_lesion_is_what_is_brighter_than_the_middle(tmp_path: Path, levels: tuple[int, int]) -> None:
    Image.fromarray(np.array(levels, np.uint8)[SHAPE]).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == (SHAPE == 1).tolist()


def test_a_mask_of_one_bit_is_read(tmp_path: Path) -> None:
    Image.fromarray(SHAPE == 1).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == (SHAPE == 1).tolist()


def test_a_mask_of_the_same_shape_is_resized(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", SHAPE == 1)
    assert read_mask(tmp_path / "m.png", size=(6, 8)).tolist() == np.kron(SHAPE, np.ones((2, 2))).tolist()


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", np.ones((30, 40), bool))
    with pytest.raises(
        DataError, match=r"40 × 30 pixels, its image 40 × 40: a mask must have the aspect ratio"
    ):
        read_mask(tmp_path / "m.png", size=(40, 40))


def test_a_missing_mask_is_an_image_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")


def test_a_written_mask_holds_0_and_255(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", SHAPE == 1)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "L"
        assert np.asarray(image).tolist() == (SHAPE * 255).tolist()


def test_the_largest_region_stays_without_holes() -> None:
    drawn = np.array([list(row) for row in ["#....###", "##...#.#", ".....###", "#......#"]]) == "#"
    wanted = np.array([list(row) for row in [".....###", ".....###", ".....###", ".......#"]]) == "#"
    assert keep_largest_component(drawn).tolist() == wanted.tolist()


def test_an_empty_and_a_full_mask_stay() -> None:
    for mask in (np.zeros((3, 4), bool), np.ones((3, 4), bool)):
        assert keep_largest_component(mask).tolist() == mask.tolist()
