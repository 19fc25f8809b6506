"""A crop in one sampling against the slow way (cut, resize, move, recolour) and against torchvision's steps."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as tv

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop
from lesionlens.data.transforms import AugmentParams, apply_geometric, apply_color
from lesionlens.data.transforms import single_interpolation, crop_and_transform
from lesionlens.data.augmentation import Augmentation

SIZE = (96, 96)
ENLARGED, SHRUNK_A_LITTLE, SHRUNK = CropBox(20, 30, 70, 60), CropBox(10, 15, 140, 144), CropBox(0, 5, 150, 190)
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


@pytest.mark.parametrize("fill", ["reflect", "nearest"])
@pytest.mark.parametrize(("box", "mean"), [(ENLARGED, 0.6), (SHRUNK_A_LITTLE, 1.4)])
def test_one_sampling_is_nearly_two(photograph: NDArray[np.uint8], box: CropBox, mean: float, fill: Any) -> None:
    change = AugmentParams(rotation=25, scale=(0.9, 1.1), translation=(0.1, -0.1), flips=(True, False), rot90=3, padding_mode=fill)
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
def test_what_would_suffer_is_resized_first(photograph: NDArray[np.uint8], change: AugmentParams, box: CropBox) -> None:
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
    assert crop_and_transform(AugmentParams(rotation=45, scale=(0.5, 0.5)), bright, ENLARGED, SIZE).min() == 200


def test_a_mask_is_moved_as_its_image(photograph: NDArray[np.uint8]) -> None:
    mask = np.where(photograph[..., 0] > 110, 255, 0).astype(np.uint8)
    for box in (ENLARGED, SHRUNK_A_LITTLE, SHRUNK):
        found = crop_and_transform(drawn(1), mask, box, SIZE)
        painted = crop_and_transform(drawn(1), np.dstack([mask] * 3), box, SIZE)
        np.testing.assert_array_equal(found, painted[..., 1])
