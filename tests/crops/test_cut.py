"""Cutting and resizing are torchvision's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as tv

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop


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
