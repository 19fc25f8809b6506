"""Crop strategies against torchvision and the code of the papers, and their ranges."""

from typing import get_args

import numpy as np
import pytest
import torchvision.transforms.v2.functional as tv
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import (
    SUPPORTED_CROP_COUNTS,
    CropName,
    MultiScaleCrop,
    RandomResizedCrop,
    make_crop_strategy,
)
from lesionlens.imaging.resize import resized_crop


@pytest.mark.parametrize("size", [(450, 600), (767, 1022), (600, 450), (480, 640), (256, 256), (101, 77)])
def test_center_crop_equals_two_steps_of_torchvision(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    side = int(0.8 * min(size))
    square = tv.resize(tv.center_crop(Image.fromarray(image), [side, side]), [256, 256])
    expected = np.asarray(tv.center_crop(square, [224, 224]))
    box = make_crop_strategy("attnmel-center", 1)(*size, 0, np.random.default_rng(0))
    actual = resized_crop(image, box, (224, 224))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("size", [(450, 600), (480, 640)])
@pytest.mark.parametrize("offset", [(0, 0), (32, 32), (5, 27)])
def test_random_crop_equals_two_steps_of_torchvision(size: tuple[int, int], offset: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    side = int(0.8 * min(size))
    square = np.asarray(tv.resize(tv.center_crop(Image.fromarray(image), [side, side]), [256, 256]))
    middle = make_crop_strategy("attnmel-center", 1)(*size, 0, np.random.default_rng(0))
    pixel = side / 256
    box = middle._replace(
        top=middle.top + (offset[0] - 16) * pixel, left=middle.left + (offset[1] - 16) * pixel
    )
    expected = square[offset[0] : offset[0] + 224, offset[1] : offset[1] + 224]
    np.testing.assert_array_equal(resized_crop(image, box, (224, 224)), expected)


def test_random_crops_reach_every_position_of_the_square() -> None:
    rng = np.random.default_rng(1)
    boxes = [make_crop_strategy("attnmel-random", 1)(450, 600, 0, rng) for _ in range(2000)]
    assert {box.parent for box in boxes} == {CropBox(45, 120, 360, 360)}
    sides = np.array([box[:4] for box in boxes])
    assert sides[:, :2].min(axis=0).tolist() == [45, 120]
    assert (sides[:, :2] + sides[:, 2:]).max(axis=0) == pytest.approx([405, 480])
    assert np.unique(sides[:, 0]).size == 33


SIDES = st.integers(1, 5000)


@given(
    name=st.sampled_from(get_args(CropName)),
    height=SIDES,
    width=SIDES,
    count=st.sampled_from(SUPPORTED_CROP_COUNTS),
    number=st.integers(0, 35),
    seed=st.integers(0, 99),
)
def test_box_is_inside_and_depends_on_the_seed(
    name: str, height: int, width: int, count: int, number: int, seed: int
) -> None:
    draw, number = make_crop_strategy(name, count), number % count
    box = draw(height, width, number, np.random.default_rng(seed))
    assert box.height > 0
    assert box.width > 0
    assert 0 <= box.top <= height - box.height
    assert 0 <= box.left <= width - box.width
    assert box == draw(height, width, number, np.random.default_rng(seed))


def test_sixty_patches_are_fifteen_of_each_scale() -> None:
    rng = np.random.default_rng(0)
    boxes = [MultiScaleCrop()(450, 600, number, rng) for number in range(60)]
    sizes = [(box.height, box.width) for box in boxes]
    assert {size: sizes.count(size) for size in sizes} == {
        (90, 120): 15,
        (180, 240): 15,
        (270, 360): 15,
        (360, 480): 15,
    }


@given(
    height=st.integers(50, 3000),
    width=st.integers(50, 3000),
    number=st.integers(0, 8),
    seed=st.integers(0, 99),
)
def test_patch_center_is_in_the_central_half(height: int, width: int, number: int, seed: int) -> None:
    box = MultiScaleCrop()(height, width, number, np.random.default_rng(seed))
    assert height / 4 - 1 <= box.top + box.height / 2 <= 3 * height / 4 + 1
    assert width / 4 - 1 <= box.left + box.width / 2 <= 3 * width / 4 + 1


def test_random_resized_is_within_its_ranges() -> None:
    rng = np.random.default_rng(1)
    boxes = [RandomResizedCrop(area=(0.25, 0.5))(600, 600, 0, rng) for _ in range(500)]
    fractions = np.array([box.height * box.width / 600**2 for box in boxes])
    ratios = np.array([box.width / box.height for box in boxes])
    assert fractions.min() > 0.24
    assert fractions.max() < 0.51
    assert ratios.min() > 0.74
    assert ratios.max() < 1.35
    assert np.ptp(fractions) > 0.2


def test_full_and_center_of_a_hand_computed_case() -> None:
    rng = np.random.default_rng(0)
    assert make_crop_strategy("full", 1)(3, 5, 0, rng) == CropBox(0, 0, 3, 5)
    assert make_crop_strategy("center-square", 1)(450, 600, 0, rng) == CropBox(0, 75, 450, 450)


def test_single_crops_of_gessert_by_area_or_in_pixels() -> None:
    rng = np.random.default_rng(0)
    assert make_crop_strategy("gessert-center", 1)(450, 600, 0, rng) == CropBox(
        18, 24, 415, 553
    )  # sides of sqrt(.85): 414.9, 553.2
    for height, width in [(450, 600), (600, 450), (1000, 1000)]:
        box = make_crop_strategy("gessert-center", 1)(height, width, 0, rng)
        assert box.height * box.width / (height * width) == pytest.approx(0.85, abs=0.002)
    assert make_crop_strategy("gessert-center-336", 1)(450, 600, 0, rng) == CropBox(57, 132, 336, 336)
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    expected = np.asarray(tv.center_crop(Image.fromarray(image), [336, 336]))
    np.testing.assert_array_equal(image[57:393, 132:468], expected)


def grid(rows: list[int], columns: list[int]) -> list[tuple[int, int]]:
    return [(top, left) for top in rows for left in columns]


# top and left of crops of 224 px in an image of 450 by 600, from the code of Gessert et al. 2019
CROP_OFFSETS = {
    5: [(0, 0), (0, 376), (226, 0), (226, 376), (113, 188)],
    7: [(0, 0), (0, 188), (0, 376), (113, 188), (113, 376), (226, 0), (226, 376)],
    9: grid([0, 113, 226], [0, 188, 376]),
    16: grid([0, 75, 150, 226], [0, 125, 250, 376]),
    25: grid([0, 56, 113, 169, 226], [0, 94, 188, 282, 376]),
    36: grid([0, 45, 90, 135, 180, 226], [0, 75, 150, 225, 300, 376]),
}


def grid_boxes(count: int, height: int, width: int) -> list[CropBox]:
    rng = np.random.default_rng(0)
    return [make_crop_strategy("grid", count)(height, width, number, rng) for number in range(count)]


@pytest.mark.parametrize("count", CROP_OFFSETS)
def test_ordered_crops_equal_those_of_the_papers_code(count: int) -> None:
    assert grid_boxes(count, 450, 600) == [CropBox(top, left, 224, 224) for top, left in CROP_OFFSETS[count]]


@pytest.mark.parametrize(("height", "width"), [(512, 768), (900, 1200), (700, 500)])
def test_crops_of_a_resized_image_equal_pillow(height: int, width: int) -> None:
    """The reference resizes to 600 × 450 with Pillow, then takes squares of 224 pixels."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 40), np.cos(y / 30), np.sin((x + y) / 25)]
    image = (128 + 90 * np.stack(waves, axis=2)).astype(np.uint8)
    resized = np.asarray(Image.fromarray(image).resize((600, 450), Image.Resampling.BILINEAR)).astype(int)
    for number, (top, left) in enumerate(CROP_OFFSETS[9]):
        box = make_crop_strategy("grid-600x450", 9)(height, width, number, np.random.default_rng(0))
        crop = resized_crop(image, box, (224, 224)).astype(int)
        differences = np.abs(crop - resized[top : top + 224, left : left + 224])
        assert differences.max() <= 2  # Pillow rounds after each axis
        assert differences.mean() < 0.1


def test_ordered_crops_scale_with_the_image_size() -> None:
    assert grid_boxes(5, 900, 1200) == [CropBox(2 * top, 2 * left, 448, 448) for top, left in CROP_OFFSETS[5]]
    assert grid_boxes(9, 600, 450)[5] == CropBox(188, 226, 224, 224)  # portrait: the last of the second row
    assert {(box.height, box.width) for box in grid_boxes(16, 80, 107)} == {(40, 40)}  # 39.8
    assert grid_boxes(36, 1, 1) == [CropBox(0, 0, 1, 1)] * 36


def test_random_crops_have_the_size_of_ordered_ones() -> None:
    rng = np.random.default_rng(2)
    boxes = [make_crop_strategy("random-square", 1)(450, 600, 0, rng) for _ in range(4000)]
    assert {(box.height, box.width) for box in boxes} == {(224, 224)}
    assert {box.top for box in boxes} == set(range(227))
    assert {box.left for box in boxes} == set(range(377))


@pytest.mark.parametrize("count", [1, 6, 49])
def test_other_numbers_of_ordered_crops_raise(count: int) -> None:
    with pytest.raises(RecipeError, match=rf"no grid of {count} crops; allowed: 5, 7, 9, 16, 25, 36\."):
        make_crop_strategy("grid", count)


def test_unknown_strategy_error_lists_all() -> None:
    names = "full, gessert-center, gessert-center-336, grid, grid-600x450, multi-scale, random-resized, random-square"
    with pytest.raises(RecipeError, match=f"did you mean 'multi-scale'.*{names}"):
        make_crop_strategy("multiscale", 1)
