"""Warps, color changes and crops against torchvision, OpenCV and manually computed cases."""

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
def image() -> NDArray[np.uint8]:
    """Return a smooth image."""
    y, x = np.mgrid[0:90, 0:120]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    return np.stack([127 + 100 * band for band in bands], axis=2).astype(np.uint8)


def channels_first(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def test_rotation_equals_torchvision_inside(image: NDArray[np.uint8]) -> None:
    ours = augment(AugmentParams(rotation=10), image)
    theirs = (
        tv.rotate(channels_first(image).float(), 10, tv.InterpolationMode.BILINEAR).permute(1, 2, 0).numpy()
    )
    inside = (slice(25, -25), slice(25, -25))
    assert np.abs(ours[inside].astype(float) - theirs[inside]).max() < 2


@pytest.mark.parametrize("padding_mode", get_args(PaddingMode))
@pytest.mark.parametrize("size", [(90, 120), (50, 40)])
@pytest.mark.parametrize("view", [np.s_[:, :], np.s_[7:80, 11:100], np.s_[::-1, ::2]])
def test_warp_affine_equals_opencv_for_any_memory_layout(
    padding_mode: PaddingMode, size: tuple[int, int], view: tuple[slice, slice], image: NDArray[np.uint8]
) -> None:
    noisy = image ^ np.random.default_rng(0).integers(0, 64, image.shape, np.uint8)
    params = AugmentParams(
        rotation=17,
        scale=(1.1, 0.9),
        translation=(0.1, -0.05),
        flips=(True, False),
        padding_mode=padding_mode,
    )
    for source in (noisy[view], noisy[view][..., 0]):
        matrix = affine_matrix(params, *size)
        reference = cv2.warpAffine(
            np.ascontiguousarray(source),
            matrix,
            size[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=PADDING_MODES[padding_mode],
        )
        np.testing.assert_array_equal(warp_affine(params, source, matrix, size), reference)


def test_width_and_height_scale_independently() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[40:61, 40:61] = 200
    zoomed = augment(AugmentParams(scale=(1.5, 0.5)), image)
    assert abs((zoomed[30:71, 50, 0] > 100).sum() - 21 * 1.5) <= 1
    assert abs((zoomed[50, 30:71, 0] > 100).sum() - 21 * 0.5) <= 1


def test_padding_is_never_black(image: NDArray[np.uint8]) -> None:
    bright = np.full_like(image, 180)
    assert augment(AugmentParams(rotation=45, scale=(0.5, 0.5)), bright).min() == 180


@pytest.mark.parametrize(
    ("params", "function", "factor"),
    [
        (AugmentParams(brightness=1.2), tv.adjust_brightness, 1.2),
        (AugmentParams(contrast=0.7), tv.adjust_contrast, 0.7),
        (AugmentParams(saturation=0.5), tv.adjust_saturation, 0.5),
        (AugmentParams(saturation=1.4), tv.adjust_saturation, 1.4),
    ],
)
def test_color_changes_equal_torchvision(
    image: NDArray[np.uint8], params: AugmentParams, function: object, factor: float
) -> None:
    ours = augment(params, image)
    theirs = function(channels_first(image), factor).permute(1, 2, 0).numpy()  # type: ignore[operator]
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_flips_are_exact(image: NDArray[np.uint8]) -> None:
    assert np.array_equal(augment(AugmentParams(flips=(True, False)), image), image[:, ::-1])
    assert np.array_equal(augment(AugmentParams(flips=(True, True)), image), image[::-1, ::-1])
    assert np.array_equal(augment(AugmentParams(), image), image)


def test_hue_of_a_third_permutes_the_channels(image: NDArray[np.uint8]) -> None:
    rotated = augment(AugmentParams(hue=1 / 3), image)
    np.testing.assert_array_equal(rotated, image[..., [2, 0, 1]])
    theirs = tv.adjust_hue(channels_first(image), 1 / 3).permute(1, 2, 0).numpy()
    assert np.abs(rotated.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("hue", [-0.05, 0.05])
def test_small_hue_equals_hsv_except_brightness(hue: float) -> None:
    skin = np.random.default_rng(0).normal((200, 150, 130), 15, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    theirs = tv.adjust_hue(channels_first(skin), hue).permute(1, 2, 0).numpy()
    before, ours, hsv = (
        image.astype(float).mean(axis=(0, 1))
        for image in (skin, augment(AugmentParams(hue=hue), skin), theirs)
    )
    assert ours.mean() == pytest.approx(before.mean(), abs=0.5)  # HSV preserves the maximum instead
    np.testing.assert_allclose(ours - ours.mean(), hsv - hsv.mean(), atol=2)
    assert np.abs(ours - before).max() > 10
    gray = np.full((2, 2, 3), 77, np.uint8)
    np.testing.assert_array_equal(augment(AugmentParams(hue=hue), gray), gray)


def test_padding_modes() -> None:
    ramp = np.repeat(np.arange(0, 200, 20, dtype=np.uint8)[None, :, None], 3, axis=2)
    warped = {
        padding_mode: apply_geometric(AugmentParams(translation=(0, 0.3), padding_mode=padding_mode), ramp)[
            0, :, 0
        ]
        for padding_mode in get_args(PaddingMode)
    }
    assert warped["reflect"].tolist() == [60, 40, 20, 0, 20, 40, 60, 80, 100, 120]
    assert warped["replicate"].tolist() == [0, 0, 0, 0, 20, 40, 60, 80, 100, 120]


def test_rot90_is_exact_and_needs_a_square(image: NDArray[np.uint8]) -> None:
    square = image[:, :90]
    np.testing.assert_array_equal(apply_geometric(AugmentParams(rot90=3), square), np.rot90(square, 3))
    for quarters, halves in [(0, 0), (1, 0), (2, 2), (3, 2)]:
        np.testing.assert_array_equal(
            apply_geometric(AugmentParams(rot90=quarters), image), np.rot90(image, halves)
        )


def test_cutout_fills_with_the_mean_color(image: NDArray[np.uint8]) -> None:
    actual = apply_color(
        AugmentParams(cutout=(0.5, 1.0, 0.4)), image
    )  # 36 pixels about row 45, half of them outside
    expected = tv.erase(
        channels_first(image),
        27,
        102,
        36,
        18,
        torch.from_numpy(np.rint(image.mean((0, 1))).astype(np.uint8)[:, None, None]),
    )
    np.testing.assert_array_equal(actual, expected.permute(1, 2, 0).numpy())


def test_mask_is_warped_as_its_image(image: NDArray[np.uint8]) -> None:
    blob = np.zeros((90, 120), np.uint8)
    cv2.ellipse(blob, (70, 30), (25, 14), 20, 0, 360, 255, -1)
    params = AugmentParams(
        rotation=33, scale=(1.2, 0.8), translation=(0.1, -0.05), flips=(True, False), rot90=2, contrast=0.5
    )
    as_channel = apply_geometric(params, np.dstack([blob] * 3))
    np.testing.assert_array_equal(apply_geometric(params, blob), as_channel[..., 0])
    assert 0.5 < (apply_geometric(params, blob) > 127).sum() / (blob > 127).sum() < 1.5
    np.testing.assert_array_equal(apply_color(params, apply_geometric(params, image)), augment(params, image))


SIZE = (96, 96)
UPSCALED, SLIGHTLY_DOWNSCALED, DOWNSCALED = (
    CropBox(20, 30, 70, 60),
    CropBox(10, 15, 140, 144),
    CropBox(0, 5, 150, 190),
)
IN_PARENT = CropBox(12.5, 20.5, 80, 80, parent=CropBox(5, 10, 100, 100))


@pytest.fixture(scope="module")
def textured_image() -> NDArray[np.uint8]:
    """Return waves with an edge of 60 gray levels under noise; dermoscopic images differ by half as much."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:150, 0:200]
    waves = [110 + 50 * np.sin(x / 9 + y / 17), 120 + 40 * np.cos(x / 13), 130 + 40 * np.sin(y / 11)]
    inside = (x - 100) ** 2 + (y - 70) ** 2 < 40**2
    as_channel = np.stack(waves, axis=2) - 60 * inside[..., None] + rng.normal(0, 2, (150, 200, 3))
    return as_channel.clip(0, 255).astype(np.uint8)


def make_params(number: int) -> AugmentParams:
    augmentation = Augmentation(rotation=20, rot90=True, brightness=0.2, contrast=0.2, saturation=0.2)
    return augmentation.make_params(np.random.default_rng(number))


def torchvision_crop_and_augment(
    params: AugmentParams, image: NDArray[np.uint8], box: CropBox
) -> NDArray[np.float32]:
    """Apply the same transforms one after another; a fourth channel is the fraction from inside the image."""
    channels = torch.from_numpy(image).permute(2, 0, 1)
    crop = tv.resized_crop(channels, *(int(side) for side in box[:4]), list(SIZE), antialias=True)
    bilinear: Any = tv.InterpolationMode.BILINEAR
    crop = torch.cat([crop.float(), torch.full((1, *SIZE), 255.0)])
    crop = torch.rot90(tv.rotate(crop, params.rotation, bilinear), params.rot90, (1, 2))
    for flip, function in zip(params.flips, (tv.horizontal_flip, tv.vertical_flip), strict=True):
        crop = function(crop) if flip else crop
    colors, inside = crop[:3] / 255, crop[3:]
    mean = warped_mean(params, image, box)
    colors = params.contrast * params.brightness * colors + (1 - params.contrast) * params.brightness * mean
    colors = tv.adjust_saturation(colors.clamp(0, 1), params.saturation) * 255
    return torch.cat([colors, inside]).permute(1, 2, 0).numpy()


def warped_mean(params: AugmentParams, image: NDArray[np.uint8], box: CropBox) -> float:
    """Return the mean gray level, 0 to 1, including reflected padding, which is black in torchvision."""
    warped = torch.from_numpy(apply_geometric(params, resized_crop(image, box, SIZE))).permute(2, 0, 1)
    return float(tv.rgb_to_grayscale(warped).float().mean()) / 255


@pytest.mark.parametrize(
    ("box", "mean", "maximum"), [(UPSCALED, 0.8, 20), (SLIGHTLY_DOWNSCALED, 1.6, 35), (DOWNSCALED, 0.5, 5)]
)
def test_crop_and_transform_equals_torchvision(
    textured_image: NDArray[np.uint8], box: CropBox, mean: float, maximum: int
) -> None:
    for number in range(12):
        params = make_params(number)
        expected = torchvision_crop_and_augment(params, textured_image, box)
        actual = apply_color(params, crop_and_transform(params, textured_image, box, SIZE))
        valid = expected[..., 3] > 254.9
        assert valid.mean() > 0.6
        difference = np.abs(actual - expected[..., :3])[valid]
        assert difference.mean() < mean
        assert difference.max() <= maximum


@pytest.mark.parametrize("padding_mode", ["reflect", "replicate"])
@pytest.mark.parametrize(("box", "mean"), [(UPSCALED, 0.6), (SLIGHTLY_DOWNSCALED, 1.4)])
def test_one_interpolation_is_close_to_two(
    textured_image: NDArray[np.uint8], box: CropBox, mean: float, padding_mode: Any
) -> None:
    params = AugmentParams(
        rotation=25,
        scale=(0.9, 1.1),
        translation=(0.1, -0.1),
        flips=(True, False),
        rot90=3,
        padding_mode=padding_mode,
    )
    assert single_interpolation(params, box, SIZE)
    actual = crop_and_transform(params, textured_image, box, SIZE)
    difference = np.abs(actual.astype(int) - apply_geometric(params, resized_crop(textured_image, box, SIZE)))
    assert 0 < difference.mean() < mean
    assert difference.max() <= 35


@pytest.mark.parametrize(
    ("params", "box"),
    [
        (AugmentParams(rotation=20), DOWNSCALED),
        (AugmentParams(rotation=20), IN_PARENT),
        (AugmentParams(flips=(True, True), rot90=1), UPSCALED),
    ],
)
def test_large_downscale_is_resized_first(
    textured_image: NDArray[np.uint8], params: AugmentParams, box: CropBox
) -> None:
    assert not single_interpolation(params, box, SIZE)
    expected = apply_geometric(params, resized_crop(textured_image, box, SIZE))
    np.testing.assert_array_equal(crop_and_transform(params, textured_image, box, SIZE), expected)


def test_box_of_the_output_size_is_only_warped(textured_image: NDArray[np.uint8]) -> None:
    box, params = CropBox(10, 20, *SIZE), AugmentParams(rotation=-15, scale=(1.1, 0.9), rot90=2)
    expected = apply_geometric(params, textured_image[10:106, 20:116].copy())
    np.testing.assert_array_equal(crop_and_transform(params, textured_image, box, SIZE), expected)


def test_pixels_outside_the_box_are_not_used(textured_image: NDArray[np.uint8]) -> None:
    bright = np.zeros_like(textured_image)
    bright[UPSCALED.slices()] = 200
    assert (
        crop_and_transform(AugmentParams(rotation=45, scale=(0.5, 0.5)), bright, UPSCALED, SIZE).min() == 200
    )


def test_mask_is_cropped_and_warped_as_its_image(textured_image: NDArray[np.uint8]) -> None:
    mask = np.where(textured_image[..., 0] > 110, 255, 0).astype(np.uint8)
    for box in (UPSCALED, SLIGHTLY_DOWNSCALED, DOWNSCALED):
        actual = crop_and_transform(make_params(1), mask, box, SIZE)
        as_channel = crop_and_transform(make_params(1), np.dstack([mask] * 3), box, SIZE)
        np.testing.assert_array_equal(actual, as_channel[..., 1])
