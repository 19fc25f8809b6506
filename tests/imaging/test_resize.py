"""Resizing against Pillow's, with and without parts of a pixel."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resize, resized_crop

NOISE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)  # shows every error


def pillows(
    picture: NDArray[np.uint8], size: tuple[int, int], extent: tuple[float, float]
) -> NDArray[np.uint8]:
    box = (0, 0, extent[1], extent[0])
    return np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR, box=box))


@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ((97, 60), None),
        ((150, 200), None),
        *itertools.product([(24, 33), (24, 24), (1, 1)], [None, (96.125, 130.125), (96.5, 131)]),
    ],
)
@pytest.mark.parametrize("picture", [NOISE, NOISE[..., 0], NOISE[:, :, ::-1], NOISE[:, 5:]], ids="rgbm")
def test_as_pillow_but_for_a_grey_level(
    picture: NDArray[np.uint8], size: tuple[int, int], extent: tuple[float, float] | None
) -> None:
    if extent is not None:
        extent = extent[0], extent[1] - 131 + picture.shape[1]
    found = resize(picture, size, extent=extent)
    wanted = pillows(picture, size, extent or (picture.shape[0], picture.shape[1]))
    assert np.abs(found.astype(int) - wanted).max() <= 1
    assert (found.dtype, found.flags.c_contiguous, found.flags.writeable) == (np.uint8, True, True)


@pytest.mark.parametrize("side", [554, 629, 695])  # of which 224 / side * side is 223.99…
def test_no_pixel_is_lost_where_one_side_alone_has_parts_of_a_pixel(side: int) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (side, 592, 3), dtype=np.uint8)
    found = resize(picture, (224, 239), extent=(side, 591.5))
    assert np.abs(found.astype(int) - pillows(picture, (224, 239), (side, 591.5))).max() <= 1


def test_long_thin_pictures() -> None:
    thin = np.random.default_rng(1).integers(0, 256, (1, 20_000, 3), dtype=np.uint8)
    assert np.abs(resize(thin, (5, 7)).astype(int) - pillows(thin, (5, 7), (1, 20_000))).max() <= 1


def test_what_cannot_be_written_is_neither_warned_of_nor_changed() -> None:
    fixed = NOISE.copy()
    fixed.flags.writeable = False
    resized = resize(fixed, (97, 131))
    np.testing.assert_array_equal(resized, NOISE)
    resized[:] = 0
    np.testing.assert_array_equal(fixed, NOISE)


def test_the_number_of_threads_stays() -> None:
    before = torch.get_num_threads()
    resize(NOISE, (20, 20))
    assert torch.get_num_threads() == before


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Draw something smooth, as photographs are."""
    y, x = np.mgrid[0:90, 0:120]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    return np.stack([127 + 100 * band for band in bands], axis=2).astype(np.uint8)


def test_resizing_equals_torchvision(picture: NDArray[np.uint8]) -> None:
    box = CropBox(10, 20, 60, 80)
    ours = resized_crop(picture, box, (32, 48))
    theirs = tv.resized_crop(
        torch.from_numpy(picture).permute(2, 0, 1), *box[:4], size=[32, 48], antialias=True
    )
    assert np.abs(ours.astype(int) - theirs.permute(1, 2, 0).numpy()).max() <= 1


def test_a_box_of_the_right_size_is_cut_only(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(resized_crop(picture, CropBox(5, 6, 32, 48), (32, 48)), picture[5:37, 6:54])


def test_a_mask_is_cut_like_its_image_and_soft(picture: NDArray[np.uint8]) -> None:
    mask = np.where(picture[..., 0] > 127, 255, 0).astype(np.uint8)
    for box in (CropBox(10, 20, 60, 80), CropBox(12.5, 23.5, 40, 40, parent=CropBox(5, 10, 60, 70))):
        cut = resized_crop(mask, box, (24, 36))
        np.testing.assert_array_equal(cut, resized_crop(np.dstack([mask] * 3), box, (24, 36))[..., 1])
        assert ((cut > 0) & (cut < 255)).any()
