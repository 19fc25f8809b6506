"""Warps and colours against torchvision, and against cases worked by hand."""

from typing import Any, get_args

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as tv

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.transforms import (
    PADDING_MODES,
    AugmentParams,
    PaddingMode,
    affine_matrix,
    apply_color,
    apply_geometric,
    augment,
    crop_and_transform,
    single_interpolation,
    warp_affine,
)
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop


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
    change = AugmentParams(
        rotation=17, scale=(1.1, 0.9), translation=(0.1, -0.05), flips=(True, False), padding_mode=fill
    )
    for part in (noisy[view], noisy[view][..., 0]):
        matrix = affine_matrix(change, *size)
        plain = cv2.warpAffine(
            np.ascontiguousarray(part),
            matrix,
            size[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=PADDING_MODES[fill],
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
        image.astype(float).mean(axis=(0, 1))
        for image in (skin, augment(AugmentParams(hue=turn), skin), theirs)
    )
    assert ours.mean() == pytest.approx(before.mean(), abs=0.5)  # HSV keeps the brightest channel instead
    np.testing.assert_allclose(ours - ours.mean(), hsv - hsv.mean(), atol=2)
    assert np.abs(ours - before).max() > 10
    grey = np.full((2, 2, 3), 77, np.uint8)
    np.testing.assert_array_equal(augment(AugmentParams(hue=turn), grey), grey)


def test_what_comes_in_is_mirrored_or_drawn_out() -> None:
    ramp = np.repeat(np.arange(0, 200, 20, dtype=np.uint8)[None, :, None], 3, axis=2)
    moved = {
        fill: apply_geometric(AugmentParams(translation=(0, 0.3), padding_mode=fill), ramp)[0, :, 0]
        for fill in get_args(PaddingMode)
    }
    assert moved["reflect"].tolist() == [60, 40, 20, 0, 20, 40, 60, 80, 100, 120]
    assert moved["replicate"].tolist() == [0, 0, 0, 0, 20, 40, 60, 80, 100, 120]


def test_quarter_turns_are_exact_and_need_a_square(picture: NDArray[np.uint8]) -> None:
    square = picture[:, :90]
    np.testing.assert_array_equal(apply_geometric(AugmentParams(rot90=3), square), np.rot90(square, 3))
    for quarters, halves in [(0, 0), (1, 0), (2, 2), (3, 2)]:
        np.testing.assert_array_equal(
            apply_geometric(AugmentParams(rot90=quarters), picture), np.rot90(picture, halves)
        )


def test_the_square_is_cut_out_in_the_mean_colour(picture: NDArray[np.uint8]) -> None:
    found = apply_color(
        AugmentParams(cutout=(0.5, 1.0, 0.4)), picture
    )  # 36 pixels about row 45, half of it outside
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
    np.testing.assert_array_equal(
        apply_color(change, apply_geometric(change, picture)), augment(change, picture)
    )


SIZE = (96, 96)
ENLARGED, SHRUNK_A_LITTLE, SHRUNK = (
    CropBox(20, 30, 70, 60),
    CropBox(10, 15, 140, 144),
    CropBox(0, 5, 150, 190),
)
FRAMED = CropBox(12.5, 20.5, 80, 80, parent=CropBox(5, 10, 100, 100))


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    """Draw blots with an edge of 60 grey levels under noise: harder than photographs, which differ by half as much."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:150, 0:200]
    blots = [110 + 50 * np.sin(x / 9 + y / 17), 120 + 40 * np.cos(x / 13), 130 + 40 * np.sin(y / 11)]
    inside = (x - 100) ** 2 + (y - 70) ** 2 < 40**2
    painted = np.stack(blots, axis=2) - 60 * inside[..., None] + rng.normal(0, 2, (150, 200, 3))
    return painted.clip(0, 255).astype(np.uint8)


def drawn(number: int) -> AugmentParams:
    augment = Augmentation(rotation=20, rot90=True, brightness=0.2, contrast=0.2, saturation=0.2)
    return augment.make_params(np.random.default_rng(number))


def by_torchvision(change: AugmentParams, image: NDArray[np.uint8], box: CropBox) -> NDArray[np.float32]:
    """Do it step by step; a fourth channel says how much of a pixel comes from inside."""
    channels = torch.from_numpy(image).permute(2, 0, 1)
    crop = tv.resized_crop(channels, *(int(side) for side in box[:4]), list(SIZE), antialias=True)
    bilinear: Any = tv.InterpolationMode.BILINEAR
    crop = torch.cat([crop.float(), torch.full((1, *SIZE), 255.0)])
    crop = torch.rot90(tv.rotate(crop, change.rotation, bilinear), change.rot90, (1, 2))
    for flip, function in zip(change.flips, (tv.horizontal_flip, tv.vertical_flip), strict=True):
        crop = function(crop) if flip else crop
    colours, inside = crop[:3] / 255, crop[3:]
    mean = moved_mean(change, image, box)
    colours = change.contrast * change.brightness * colours + (1 - change.contrast) * change.brightness * mean
    colours = tv.adjust_saturation(colours.clamp(0, 1), change.saturation) * 255
    return torch.cat([colours, inside]).permute(1, 2, 0).numpy()


def moved_mean(change: AugmentParams, image: NDArray[np.uint8], box: CropBox) -> float:
    """Mean grey from 0 to 1 with what is mirrored in from outside, which torchvision would have black."""
    moved = torch.from_numpy(apply_geometric(change, resized_crop(image, box, SIZE))).permute(2, 0, 1)
    return float(tv.rgb_to_grayscale(moved).float().mean()) / 255


@pytest.mark.parametrize(
    ("box", "mean", "most"), [(ENLARGED, 0.8, 20), (SHRUNK_A_LITTLE, 1.6, 35), (SHRUNK, 0.5, 5)]
)
def test_composed_it_is_torchvisions_steps(
    photograph: NDArray[np.uint8], box: CropBox, mean: float, most: int
) -> None:
    for number in range(12):
        change = drawn(number)
        wanted = by_torchvision(change, photograph, box)
        found = apply_color(change, crop_and_transform(change, photograph, box, SIZE))
        seen = wanted[..., 3] > 254.9
        assert seen.mean() > 0.6
        apart = np.abs(found - wanted[..., :3])[seen]
        assert apart.mean() < mean
        assert apart.max() <= most


@pytest.mark.parametrize("fill", ["reflect", "replicate"])
@pytest.mark.parametrize(("box", "mean"), [(ENLARGED, 0.6), (SHRUNK_A_LITTLE, 1.4)])
def test_one_sampling_is_nearly_two(
    photograph: NDArray[np.uint8], box: CropBox, mean: float, fill: Any
) -> None:
    change = AugmentParams(
        rotation=25,
        scale=(0.9, 1.1),
        translation=(0.1, -0.1),
        flips=(True, False),
        rot90=3,
        padding_mode=fill,
    )
    assert single_interpolation(change, box, SIZE)
    found = crop_and_transform(change, photograph, box, SIZE)
    apart = np.abs(found.astype(int) - apply_geometric(change, resized_crop(photograph, box, SIZE)))
    assert 0 < apart.mean() < mean
    assert apart.max() <= 35


@pytest.mark.parametrize(
    ("change", "box"),
    [
        (AugmentParams(rotation=20), SHRUNK),
        (AugmentParams(rotation=20), FRAMED),
        (AugmentParams(flips=(True, True), rot90=1), ENLARGED),
    ],
)
def test_what_would_suffer_is_resized_first(
    photograph: NDArray[np.uint8], change: AugmentParams, box: CropBox
) -> None:
    assert not single_interpolation(change, box, SIZE)
    wanted = apply_geometric(change, resized_crop(photograph, box, SIZE))
    np.testing.assert_array_equal(crop_and_transform(change, photograph, box, SIZE), wanted)


def test_a_box_of_the_right_size_is_moved_alone(photograph: NDArray[np.uint8]) -> None:
    box, change = CropBox(10, 20, *SIZE), AugmentParams(rotation=-15, scale=(1.1, 0.9), rot90=2)
    wanted = apply_geometric(change, photograph[10:106, 20:116].copy())
    np.testing.assert_array_equal(crop_and_transform(change, photograph, box, SIZE), wanted)


def test_nothing_beside_the_box_comes_in(photograph: NDArray[np.uint8]) -> None:
    bright = np.zeros_like(photograph)
    bright[ENLARGED.slices()] = 200
    assert (
        crop_and_transform(AugmentParams(rotation=45, scale=(0.5, 0.5)), bright, ENLARGED, SIZE).min() == 200
    )


def test_a_mask_is_moved_as_its_image(photograph: NDArray[np.uint8]) -> None:
    mask = np.where(photograph[..., 0] > 110, 255, 0).astype(np.uint8)
    for box in (ENLARGED, SHRUNK_A_LITTLE, SHRUNK):
        found = crop_and_transform(drawn(1), mask, box, SIZE)
        painted = crop_and_transform(drawn(1), np.dstack([mask] * 3), box, SIZE)
        np.testing.assert_array_equal(found, painted[..., 1])
