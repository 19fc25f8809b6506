"""Warps and colours against torchvision, and against cases worked by hand."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as tv

from lesionlens.data.transforms import PADDING_MODES, AugmentParams, PaddingMode, augment, apply_geometric, apply_color, warp_affine, affine_matrix


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Draw something smooth, as photographs are."""
    y, x = np.mgrid[0:90, 0:120]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    return np.stack([127 + 100 * band for band in bands], axis=2).astype(np.uint8)


def channels_first(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def test_rotation_equals_torchvision_inside(picture: NDArray[np.uint8]) -> None:
    ours = augment(AugmentParams(rotation=10), picture)
    theirs = (
        tv.rotate(channels_first(picture).float(), 10, tv.InterpolationMode.BILINEAR).permute(1, 2, 0).numpy()
    )
    inside = (slice(25, -25), slice(25, -25))
    assert np.abs(ours[inside].astype(float) - theirs[inside]).max() < 2


@pytest.mark.parametrize("fill", get_args(PaddingMode))
@pytest.mark.parametrize("size", [(90, 120), (50, 40)])
@pytest.mark.parametrize("view", [np.s_[:, :], np.s_[7:80, 11:100], np.s_[::-1, ::2]])
def test_a_warp_has_the_pixels_of_opencv_whatever_the_memory(
    fill: PaddingMode, size: tuple[int, int], view: tuple[slice, slice], picture: NDArray[np.uint8]
) -> None:
    noisy = picture ^ np.random.default_rng(0).integers(0, 64, picture.shape, np.uint8)
    change = AugmentParams(rotation=17, scale=(1.1, 0.9), translation=(0.1, -0.05), flips=(True, False), padding_mode=fill)
    for part in (noisy[view], noisy[view][..., 0]):
        matrix = affine_matrix(change, *size)
        plain = cv2.warpAffine(
            np.ascontiguousarray(part), matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=PADDING_MODES[fill]
        )
        np.testing.assert_array_equal(warp_affine(change, part, matrix, size), plain)


def test_zoom_is_of_width_and_height_apart() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[40:61, 40:61] = 200
    zoomed = augment(AugmentParams(scale=(1.5, 0.5)), image)
    assert abs((zoomed[30:71, 50, 0] > 100).sum() - 21 * 1.5) <= 1
    assert abs((zoomed[50, 30:71, 0] > 100).sum() - 21 * 0.5) <= 1


def test_nothing_outside_is_black(picture: NDArray[np.uint8]) -> None:
    bright = np.full_like(picture, 180)
    assert augment(AugmentParams(rotation=45, scale=(0.5, 0.5)), bright).min() == 180


@pytest.mark.parametrize(
    ("change", "function", "factor"),
    [
        (AugmentParams(brightness=1.2), tv.adjust_brightness, 1.2),
        (AugmentParams(contrast=0.7), tv.adjust_contrast, 0.7),
        (AugmentParams(saturation=0.5), tv.adjust_saturation, 0.5),
        (AugmentParams(saturation=1.4), tv.adjust_saturation, 1.4),
    ],
)
def test_colours_equal_torchvision(
    picture: NDArray[np.uint8], change: AugmentParams, function: object, factor: float
) -> None:
    ours = augment(change, picture)
    theirs = function(channels_first(picture), factor).permute(1, 2, 0).numpy()  # type: ignore[operator]
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_flips_are_exact(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(augment(AugmentParams(flips=(True, False)), picture), picture[:, ::-1])
    assert np.array_equal(augment(AugmentParams(flips=(True, True)), picture), picture[::-1, ::-1])
    assert np.array_equal(augment(AugmentParams(), picture), picture)


def test_a_third_of_a_turn_exchanges_the_channels(picture: NDArray[np.uint8]) -> None:
    turned = augment(AugmentParams(hue=1 / 3), picture)
    np.testing.assert_array_equal(turned, picture[..., [2, 0, 1]])
    theirs = tv.adjust_hue(channels_first(picture), 1 / 3).permute(1, 2, 0).numpy()
    assert np.abs(turned.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("turn", [-0.05, 0.05])
def test_a_small_turn_is_that_of_hsv_but_for_brightness(turn: float) -> None:
    skin = np.random.default_rng(0).normal((200, 150, 130), 15, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    theirs = tv.adjust_hue(channels_first(skin), turn).permute(1, 2, 0).numpy()
    before, ours, hsv = (
        image.astype(float).mean(axis=(0, 1)) for image in (skin, augment(AugmentParams(hue=turn), skin), theirs)
    )
    assert ours.mean() == pytest.approx(before.mean(), abs=0.5)  # HSV keeps the brightest channel instead
    np.testing.assert_allclose(ours - ours.mean(), hsv - hsv.mean(), atol=2)
    assert np.abs(ours - before).max() > 10
    grey = np.full((2, 2, 3), 77, np.uint8)
    np.testing.assert_array_equal(augment(AugmentParams(hue=turn), grey), grey)


def test_what_comes_in_is_mirrored_or_drawn_out() -> None:
    ramp = np.repeat(np.arange(0, 200, 20, dtype=np.uint8)[None, :, None], 3, axis=2)
    moved = {fill: apply_geometric(AugmentParams(translation=(0, 0.3), padding_mode=fill), ramp)[0, :, 0] for fill in get_args(PaddingMode)}
    assert moved["reflect"].tolist() == [60, 40, 20, 0, 20, 40, 60, 80, 100, 120]
    assert moved["nearest"].tolist() == [0, 0, 0, 0, 20, 40, 60, 80, 100, 120]


def test_quarter_turns_are_exact_and_need_a_square(picture: NDArray[np.uint8]) -> None:
    square = picture[:, :90]
    np.testing.assert_array_equal(apply_geometric(AugmentParams(rot90=3), square), np.rot90(square, 3))
    for quarters, halves in [(0, 0), (1, 0), (2, 2), (3, 2)]:
        np.testing.assert_array_equal(apply_geometric(AugmentParams(rot90=quarters), picture), np.rot90(picture, halves))


def test_the_square_is_cut_out_in_the_mean_colour(picture: NDArray[np.uint8]) -> None:
    found = apply_color(AugmentParams(cutout=(0.5, 1.0, 0.4)), picture)  # 36 pixels about row 45, half of it outside
    wanted = tv.erase(
        channels_first(picture),
        27,
        102,
        36,
        18,
        torch.from_numpy(np.rint(picture.mean((0, 1))).astype(np.uint8)[:, None, None]),
    )
    np.testing.assert_array_equal(found, wanted.permute(1, 2, 0).numpy())


def test_a_mask_moves_as_its_image(picture: NDArray[np.uint8]) -> None:
    blob = np.zeros((90, 120), np.uint8)
    cv2.ellipse(blob, (70, 30), (25, 14), 20, 0, 360, 255, -1)
    change = AugmentParams(
        rotation=33, scale=(1.2, 0.8), translation=(0.1, -0.05), flips=(True, False), rot90=2, contrast=0.5
    )
    painted = apply_geometric(change, np.dstack([blob] * 3))
    np.testing.assert_array_equal(apply_geometric(change, blob), painted[..., 0])
    assert 0.5 < (apply_geometric(change, blob) > 127).sum() / (blob > 127).sum() < 1.5
    np.testing.assert_array_equal(apply_color(change, apply_geometric(change, picture)), augment(change, picture))
