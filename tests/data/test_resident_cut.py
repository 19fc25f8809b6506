"""Crops of a batch against Pillow, byte by byte."""

from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.data.gpu_transforms import crop_resize_batch

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Draw noise, where every error shows, of several sizes."""
    rng = np.random.default_rng(0)
    shapes = [(90, 120), (120, 90), (101, 101), (33, 150)]
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def on(device: str, pictures: Pictures) -> list[torch.Tensor]:
    return [torch.from_numpy(picture).permute(2, 0, 1).to(device) for picture in pictures]


def by_width_then_height(picture: NDArray[np.uint8], box: CropBox, size: tuple[int, int]) -> NDArray[np.uint8]:
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
    rng, draw, size = np.random.default_rng(1), make_crop_strategy(name, 9), (40, 64)  # larger and smaller than boxes
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
