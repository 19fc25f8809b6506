"""Batched crops and augmentation against OpenCV and Pillow, image by image."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lesionlens.data.augmentation import PRESETS, Augmentation, Preset
from lesionlens.data.gpu_transforms import augment_batch, crop_resize_batch
from lesionlens.data.transforms import AugmentParams, PaddingMode, apply_geometric, augment
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.imaging.resize import resized_crop

# OpenCV before version 5 shifts by multiples of 1/32 pixel.
WARP_TOLERANCE = 1 if int(cv2.__version__.split(".")[0]) >= 5 else 8


@pytest.fixture(scope="module")
def noise() -> NDArray[np.uint8]:
    """Return noise, in which every error is visible."""
    return np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


def augment_copies(
    params: list[AugmentParams], image: NDArray[np.uint8], mask: NDArray[np.uint8], device: str
) -> NDArray[np.float32]:
    """Augment the same image and mask with each of several parameters."""
    joined = torch.from_numpy(np.dstack([image, mask])).permute(2, 0, 1).float().to(device)
    return augment_batch(params, joined.expand(len(params), -1, -1, -1)).permute(0, 2, 3, 1).cpu().numpy()


@pytest.mark.parametrize("width", [48, 80])
@pytest.mark.parametrize("preset", get_args(Preset))
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_augment_batch_equals_opencv(
    noise: NDArray[np.uint8], preset: Preset, width: int, device: str
) -> None:
    image, mask = noise[:, :width], np.where(noise[:, :width, 0] > 127, 255, 0).astype(np.uint8)
    rng, augmentation = np.random.default_rng(1), Augmentation(preset=preset)
    params = [augmentation.make_params(rng) for _ in range(12)]
    actual = augment_copies(params, image, mask, device)
    colors = np.abs(actual[..., :3] - np.stack([augment(image_params, image) for image_params in params]))
    masks = np.abs(
        actual[..., 3] - np.stack([apply_geometric(image_params, mask) for image_params in params])
    )
    assert masks.max() <= WARP_TOLERANCE
    assert colors.max() <= WARP_TOLERANCE + 1  # OpenCV rounds the color matrix to multiples of 1/1024
    assert colors.mean() < (0.1 if WARP_TOLERANCE == 1 else 1)
    if not {"rotation", "scale", "translate", "brightness"} & PRESETS[preset].keys():
        assert colors.max() == masks.max() == 0  # right angles and flips are exact


@pytest.mark.parametrize("padding_mode", get_args(PaddingMode))
def test_padding_equals_opencv(noise: NDArray[np.uint8], padding_mode: PaddingMode) -> None:
    params = [
        AugmentParams(translation=(0.4, -0.3), padding_mode=padding_mode, flips=(True, False)),
        AugmentParams(rotation=45, scale=(0.3, 0.4), rot90=3, padding_mode=padding_mode),
    ]
    actual = augment_copies(params, noise, noise[..., 0], "cpu")[..., :3]
    assert (
        np.abs(actual - np.stack([augment(image_params, noise) for image_params in params])).max()
        <= WARP_TOLERANCE
    )


def test_contrast_is_about_the_mean_of_each_image(noise: NDArray[np.uint8]) -> None:
    images = np.stack([noise, noise // 4])
    image_params = AugmentParams(contrast=0.5, cutout=(0.4, 0.9, 0.5))
    actual = augment_batch([image_params] * 2, torch.from_numpy(images).permute(0, 3, 1, 2).float())
    expected = np.stack([augment(image_params, image) for image in images])
    assert np.abs(actual.permute(0, 2, 3, 1).numpy() - expected).max() <= 1


Images = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def images() -> Images:
    """Return noise of several sizes."""
    rng = np.random.default_rng(0)
    shapes = [(90, 120), (120, 90), (101, 101), (33, 150)]
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def to_device(device: str, images: Images) -> list[torch.Tensor]:
    return [torch.from_numpy(image).permute(2, 0, 1).to(device) for image in images]


def pillow_separable_resize(
    image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resize with Pillow, first the width, then the height."""
    parent = box.parent or box
    top, left = box.top - parent.top, box.left - parent.left
    region = Image.fromarray(np.ascontiguousarray(image[parent.slices()]))
    resample, edges = Image.Resampling.BILINEAR, (left, 0, left + box.width, region.height)
    narrowed = region.resize((size[1], region.height), resample, box=edges)
    return np.asarray(narrowed.resize((size[1], size[0]), resample, box=(0, top, size[1], top + box.height)))


@pytest.mark.parametrize("name", get_args(CropName))
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_crop_resize_batch_equals_pillow(images: Images, name: CropName, device: str) -> None:
    rng, crop_strategy, size = (
        np.random.default_rng(1),
        make_crop_strategy(name, 9),
        (40, 64),
    )  # larger and smaller than boxes
    repeated = images * 2
    boxes = [crop_strategy(*image.shape[:2], number % 9, rng) for number, image in enumerate(repeated)]
    actual = crop_resize_batch(to_device(device, repeated), boxes, size).permute(0, 2, 3, 1).cpu().numpy()
    for crop, image, box in zip(actual, repeated, boxes, strict=True):
        np.testing.assert_array_equal(crop, pillow_separable_resize(image, box, size))
        assert np.abs(crop - resized_crop(image, box, size)).max() <= 1


def test_pixels_outside_a_box_count_only_in_its_parent() -> None:
    step_image = np.repeat(np.array([0, 0, 100, 100], np.uint8)[None, :, None], 4, axis=0)
    box = CropBox(0, 0, 4, 2)
    unframed, framed = (
        crop_resize_batch([torch.from_numpy(step_image).permute(2, 0, 1)], [crop_box], (4, 4))[
            0, 0, 0
        ].tolist()
        for crop_box in (box, box._replace(parent=CropBox(0, 0, 4, 4)))
    )
    assert unframed == [0, 0, 0, 0]
    assert framed == [
        0,
        0,
        0,
        25,
    ]  # its center is a quarter of a pixel from the edge: weight 1/4 of the next pixel
