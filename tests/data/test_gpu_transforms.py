"""Changes of a batch against each picture's own, by OpenCV."""

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

MOVED = (
    1 if int(cv2.__version__.split(".")[0]) >= 5 else 8
)  # before 5 OpenCV moves by thirty-seconds of a pixel


@pytest.fixture(scope="module")
def noise() -> NDArray[np.uint8]:
    """Draw what shows every error."""
    return np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


def of_a_batch(
    changes: list[AugmentParams], picture: NDArray[np.uint8], mask: NDArray[np.uint8], device: str
) -> NDArray[np.float32]:
    """Change the same picture and mask in all these ways."""
    joined = torch.from_numpy(np.dstack([picture, mask])).permute(2, 0, 1).float().to(device)
    return augment_batch(changes, joined.expand(len(changes), -1, -1, -1)).permute(0, 2, 3, 1).cpu().numpy()


@pytest.mark.parametrize("width", [48, 80])
@pytest.mark.parametrize("preset", get_args(Preset))
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_changes_of_a_batch_are_those_of_opencv(
    noise: NDArray[np.uint8], preset: Preset, width: int, device: str
) -> None:
    picture, mask = noise[:, :width], np.where(noise[:, :width, 0] > 127, 255, 0).astype(np.uint8)
    rng, augmentation = np.random.default_rng(1), Augmentation(preset=preset)
    changes = [augmentation.make_params(rng) for _ in range(12)]
    found = of_a_batch(changes, picture, mask, device)
    colours = np.abs(found[..., :3] - np.stack([augment(change, picture) for change in changes]))
    masks = np.abs(found[..., 3] - np.stack([apply_geometric(change, mask) for change in changes]))
    assert masks.max() <= MOVED
    assert colours.max() <= MOVED + 1  # OpenCV's colour matrix is of whole 1/1024
    assert colours.mean() < (0.1 if MOVED == 1 else 1)
    if not {"rotation", "scale", "translate", "brightness"} & PRESETS[preset].keys():
        assert colours.max() == masks.max() == 0  # turns and flips move whole pixels


@pytest.mark.parametrize("fill", get_args(PaddingMode))
def test_what_comes_in_from_outside_is_that_of_opencv(noise: NDArray[np.uint8], fill: PaddingMode) -> None:
    changes = [
        AugmentParams(translation=(0.4, -0.3), padding_mode=fill, flips=(True, False)),
        AugmentParams(rotation=45, scale=(0.3, 0.4), rot90=3, padding_mode=fill),
    ]
    found = of_a_batch(changes, noise, noise[..., 0], "cpu")[..., :3]
    assert np.abs(found - np.stack([augment(change, noise) for change in changes])).max() <= MOVED


def test_contrast_is_about_each_pictures_own_mean(noise: NDArray[np.uint8]) -> None:
    pictures = np.stack([noise, noise // 4])
    change = AugmentParams(contrast=0.5, cutout=(0.4, 0.9, 0.5))
    found = augment_batch([change] * 2, torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
    wanted = np.stack([augment(change, picture) for picture in pictures])
    assert np.abs(found.permute(0, 2, 3, 1).numpy() - wanted).max() <= 1


Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Draw noise, where every error shows, of several sizes."""
    rng = np.random.default_rng(0)
    shapes = [(90, 120), (120, 90), (101, 101), (33, 150)]
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def on(device: str, pictures: Pictures) -> list[torch.Tensor]:
    return [torch.from_numpy(picture).permute(2, 0, 1).to(device) for picture in pictures]


def by_width_then_height(
    picture: NDArray[np.uint8], box: CropBox, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Let Pillow resize one side after the other."""
    frame = box.parent or box
    top, left = box.top - frame.top, box.left - frame.left
    seen = Image.fromarray(np.ascontiguousarray(picture[frame.slices()]))
    how, edges = Image.Resampling.BILINEAR, (left, 0, left + box.width, seen.height)
    narrow = seen.resize((size[1], seen.height), how, box=edges)
    return np.asarray(narrow.resize((size[1], size[0]), how, box=(0, top, size[1], top + box.height)))


@pytest.mark.parametrize("name", get_args(CropName))
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_crops_of_a_batch_are_those_of_pillow(pictures: Pictures, name: CropName, device: str) -> None:
    rng, draw, size = (
        np.random.default_rng(1),
        make_crop_strategy(name, 9),
        (40, 64),
    )  # larger and smaller than boxes
    many = pictures * 2
    boxes = [draw(*picture.shape[:2], number % 9, rng) for number, picture in enumerate(many)]
    found = crop_resize_batch(on(device, many), boxes, size).permute(0, 2, 3, 1).cpu().numpy()
    for crop, picture, box in zip(found, many, boxes, strict=True):
        np.testing.assert_array_equal(crop, by_width_then_height(picture, box, size))
        assert np.abs(crop - resized_crop(picture, box, size)).max() <= 1


def test_what_lies_beside_a_box_has_its_share_in_a_frame_alone() -> None:
    steps = np.repeat(np.array([0, 0, 100, 100], np.uint8)[None, :, None], 4, axis=0)
    box = CropBox(0, 0, 4, 2)
    alone, framed = (
        crop_resize_batch([torch.from_numpy(steps).permute(2, 0, 1)], [each], (4, 4))[0, 0, 0].tolist()
        for each in (box, box._replace(parent=CropBox(0, 0, 4, 4)))
    )
    assert alone == [0, 0, 0, 0]
    assert framed == [0, 0, 0, 25]  # its middle is a quarter of a pixel from the edge: 1/4 of the next
