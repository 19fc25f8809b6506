"""Warps and colours against torchvision and Pillow, and against cases worked by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as tv

from lesionlens.crops.box import Box
from lesionlens.crops.cut import resized_crop
from lesionlens.data.change import Change, apply
from lesionlens.data.transforms import Augmentation


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Draw something smooth, as photographs are."""
    y, x = np.mgrid[0:90, 0:120]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    return np.stack([127 + 100 * band for band in bands], axis=2).astype(np.uint8)


def channels_first(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def test_resizing_equals_torchvision(picture: NDArray[np.uint8]) -> None:
    box = Box(10, 20, 60, 80)
    ours = resized_crop(picture, box, (32, 48))
    theirs = tv.resized_crop(channels_first(picture), *box[:4], size=[32, 48], antialias=True)
    assert np.abs(ours.astype(int) - theirs.permute(1, 2, 0).numpy()).max() <= 1


def test_a_box_of_the_right_size_is_cut_only(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(resized_crop(picture, Box(5, 6, 32, 48), (32, 48)), picture[5:37, 6:54])


def test_rotation_equals_torchvision_inside(picture: NDArray[np.uint8]) -> None:
    ours = apply(Change(angle=10), picture)
    theirs = (
        tv.rotate(channels_first(picture).float(), 10, tv.InterpolationMode.BILINEAR).permute(1, 2, 0).numpy()
    )
    inside = (slice(25, -25), slice(25, -25))
    assert np.abs(ours[inside].astype(float) - theirs[inside]).max() < 2


def test_zoom_is_of_width_and_height_apart() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[40:61, 40:61] = 200
    zoomed = apply(Change(zoom=(1.5, 0.5)), image)
    assert abs((zoomed[30:71, 50, 0] > 100).sum() - 21 * 1.5) <= 1
    assert abs((zoomed[50, 30:71, 0] > 100).sum() - 21 * 0.5) <= 1


def test_nothing_outside_is_black(picture: NDArray[np.uint8]) -> None:
    bright = np.full_like(picture, 180)
    assert apply(Change(angle=45, zoom=(0.5, 0.5)), bright).min() == 180


@pytest.mark.parametrize(
    ("change", "function", "factor"),
    [
        (Change(brightness=1.2), tv.adjust_brightness, 1.2),
        (Change(contrast=0.7), tv.adjust_contrast, 0.7),
        (Change(saturation=0.5), tv.adjust_saturation, 0.5),
        (Change(saturation=1.4), tv.adjust_saturation, 1.4),
    ],
)
def test_colours_equal_torchvision(
    picture: NDArray[np.uint8], change: Change, function: object, factor: float
) -> None:
    ours = apply(change, picture)
    theirs = function(channels_first(picture), factor).permute(1, 2, 0).numpy()  # type: ignore[operator]
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_flips_are_exact(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(apply(Change(flips=(True, False)), picture), picture[:, ::-1])
    assert np.array_equal(apply(Change(flips=(True, True)), picture), picture[::-1, ::-1])
    assert np.array_equal(apply(Change(), picture), picture)


@given(seed=st.integers(0, 2**32))
def test_draws_keep_to_their_ranges(seed: int) -> None:
    change = Augmentation(rotation=10, zoom=0.1, brightness=0.2).draw(np.random.default_rng(seed))
    assert abs(change.angle) <= 10
    assert all(0.9 <= zoom <= 1.1 for zoom in change.zoom)
    assert 0.8 <= change.brightness <= 1.2
    assert change.contrast == change.saturation == 1
