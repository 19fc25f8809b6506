"""Resizing against Pillow and torchvision, including extents of fractional pixels."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from lesionlens.imaging import resize as resize_module
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resize, resized_crop

NOISE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)  # every error is visible


def resize_with_pillow(
    image: NDArray[np.uint8], size: tuple[int, int], extent: tuple[float, float]
) -> NDArray[np.uint8]:
    box = (0, 0, extent[1], extent[0])
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR, box=box))


@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ((97, 60), None),
        ((150, 200), None),
        *itertools.product([(24, 33), (24, 24), (1, 1)], [None, (96.125, 130.125), (96.5, 131)]),
    ],
)
@pytest.mark.parametrize("image", [NOISE, NOISE[..., 0], NOISE[:, :, ::-1], NOISE[:, 5:]], ids="rgbm")
def test_equals_pillow_within_one_gray_level(
    image: NDArray[np.uint8], size: tuple[int, int], extent: tuple[float, float] | None
) -> None:
    if extent is not None:
        extent = extent[0], extent[1] - 131 + image.shape[1]
    actual = resize(image, size, extent=extent)
    expected = resize_with_pillow(image, size, extent or (image.shape[0], image.shape[1]))
    assert np.abs(actual.astype(int) - expected).max() <= 1
    assert (actual.dtype, actual.flags.c_contiguous, actual.flags.writeable) == (np.uint8, True, True)


@pytest.mark.parametrize("image", [NOISE, NOISE[..., 0], NOISE[:, :, ::-1]], ids="rgm")
@pytest.mark.parametrize("size", [(97, 60), (24, 33), (150, 200)])
def test_without_torch_within_one_gray_level(
    image: NDArray[np.uint8], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_torch = resize(image, size)
    monkeypatch.setattr(resize_module, "resizes_with_torch", lambda: False)
    actual = resize(image, size)
    assert np.abs(actual.astype(int) - with_torch).max() <= 1
    assert (actual.shape, actual.dtype, actual.flags.writeable) == (with_torch.shape, np.uint8, True)


@pytest.mark.parametrize("side", [554, 629, 695])  # for these, 224 / side * side is 223.99…
def test_fractional_extent_of_one_side_loses_no_pixel(side: int) -> None:
    image = np.random.default_rng(2).integers(0, 256, (side, 592, 3), dtype=np.uint8)
    actual = resize(image, (224, 239), extent=(side, 591.5))
    assert np.abs(actual.astype(int) - resize_with_pillow(image, (224, 239), (side, 591.5))).max() <= 1


def test_long_thin_images() -> None:
    thin = np.random.default_rng(1).integers(0, 256, (1, 20_000, 3), dtype=np.uint8)
    assert np.abs(resize(thin, (5, 7)).astype(int) - resize_with_pillow(thin, (5, 7), (1, 20_000))).max() <= 1


def test_read_only_array_causes_no_warning_and_is_unchanged() -> None:
    fixed = NOISE.copy()
    fixed.flags.writeable = False
    resized = resize(fixed, (97, 131))
    np.testing.assert_array_equal(resized, NOISE)
    resized[:] = 0
    np.testing.assert_array_equal(fixed, NOISE)


def test_number_of_threads_is_unchanged() -> None:
    before = torch.get_num_threads()
    resize(NOISE, (20, 20))
    assert torch.get_num_threads() == before


@pytest.fixture
def image() -> NDArray[np.uint8]:
    """Generate a smooth image."""
    y, x = np.mgrid[0:90, 0:120]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    return np.stack([127 + 100 * band for band in bands], axis=2).astype(np.uint8)


def test_resizing_equals_torchvision(image: NDArray[np.uint8]) -> None:
    box = CropBox(10, 20, 60, 80)
    ours = resized_crop(image, box, (32, 48))
    theirs = tv.resized_crop(
        torch.from_numpy(image).permute(2, 0, 1), *box[:4], size=[32, 48], antialias=True
    )
    assert np.abs(ours.astype(int) - theirs.permute(1, 2, 0).numpy()).max() <= 1


def test_box_of_the_output_size_is_not_resampled(image: NDArray[np.uint8]) -> None:
    assert np.array_equal(resized_crop(image, CropBox(5, 6, 32, 48), (32, 48)), image[5:37, 6:54])


def test_mask_is_cropped_as_its_image_with_soft_edges(image: NDArray[np.uint8]) -> None:
    mask = np.where(image[..., 0] > 127, 255, 0).astype(np.uint8)
    for box in (CropBox(10, 20, 60, 80), CropBox(12.5, 23.5, 40, 40, parent=CropBox(5, 10, 60, 70))):
        cropped = resized_crop(mask, box, (24, 36))
        np.testing.assert_array_equal(cropped, resized_crop(np.dstack([mask] * 3), box, (24, 36))[..., 1])
        assert ((cropped > 0) & (cropped < 255)).any()
