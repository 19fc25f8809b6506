"""Changes of a batch against each picture's own, by OpenCV."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionlens.data.transforms import AugmentParams, PaddingMode, augment, apply_geometric
from lesionlens.data.augmentation import PRESETS, Preset
from lesionlens.data.gpu_transforms import augment_batch
from lesionlens.data.augmentation import Augmentation

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
    rng, augment = np.random.default_rng(1), Augmentation(preset=preset)
    changes = [augment.make_params(rng) for _ in range(12)]
    found = of_a_batch(changes, picture, mask, device)
    colours = np.abs(found[..., :3] - np.stack([augment(change, picture) for change in changes]))
    masks = np.abs(found[..., 3] - np.stack([apply_geometric(change, mask) for change in changes]))
    assert masks.max() <= MOVED
    assert colours.max() <= MOVED + 1  # OpenCV's colour matrix is of whole 1/1024
    assert colours.mean() < (0.1 if MOVED == 1 else 1)
    if not {"rotation", "zoom", "shift", "brightness"} & PRESETS[preset].keys():
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
