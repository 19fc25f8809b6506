"""Training pixels: image and mask are transformed together, and unusable masks are reported."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import WriteError
from lesionlens.data.augmentation import Augmentation
from lesionlens.data.sampler import SampleIndex
from lesionlens.data.transforms import AugmentParams
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.dataset import (
    AugmentedSegmentationDataset,
    augment_image_and_mask,
    decode_to_memmap,
)
from lesionlens.segmentation.samples import SegmentationSample

PREPROCESSING = Preprocessing(input_size=(24, 32), max_short_side=None)


def white_where_masked(height: int, width: int) -> np.ndarray:
    """Return an image that is white inside its mask and black elsewhere."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[2 : height // 2, 3 : width // 3] = 255
    return pixels


@pytest.mark.parametrize(
    "change",
    [
        AugmentParams(flips=(True, False)),
        AugmentParams(flips=(False, True)),
        AugmentParams(rotation=37.0),
        AugmentParams(scale=(1.3, 0.8)),
        AugmentParams(rotation=-110.0, scale=(0.9, 0.7), flips=(True, True)),
    ],
)
def test_image_and_mask_move_together(change: AugmentParams) -> None:
    pixels = white_where_masked(40, 60)
    moved = augment_image_and_mask(change, pixels)
    assert (moved != pixels).any()
    for channel in range(3):
        assert (moved[..., channel] == moved[..., 3]).all()


def test_color_changes_only_the_image() -> None:
    pixels = white_where_masked(40, 60)
    moved = augment_image_and_mask(AugmentParams(brightness=0.5), pixels)
    assert moved[..., :3].max() == 128
    assert (moved[..., 3] == pixels[..., 3]).all()


def test_augmentation_depends_on_seed_epoch_and_position() -> None:
    pixels = [white_where_masked(24, 32)] * 3
    wild = Augmentation(rotation=180)

    def sample_bytes(seed: int, number: int, position: int) -> bytes:
        dataset = AugmentedSegmentationDataset(pixels, wild, seed)
        return dataset[SampleIndex(number, position, 0, 0)].images.numpy().tobytes()

    first = sample_bytes(0, 1, 0)
    assert sample_bytes(0, 1, 0) == first
    assert first not in {sample_bytes(1, 1, 0), sample_bytes(0, 2, 0), sample_bytes(0, 1, 1)}


def case(folder: Path, name: str, mask: np.ndarray | bytes | None) -> SegmentationSample:
    """Write an image of 48 by 64 pixels, and its mask if it has one."""
    image, file = folder / f"{name}.png", folder / f"{name}_segmentation.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(image)
    if isinstance(mask, bytes):
        file.write_bytes(mask)
    elif mask is not None:
        Image.fromarray(mask).save(file)
    return SegmentationSample(name, image, file, name)


def test_unusable_masks_are_reported(tmp_path: Path) -> None:
    white = np.full((48, 64), 255, np.uint8)
    cases = [
        case(tmp_path, "good", white),
        case(tmp_path, "half_the_size", white[::2, ::2]),
        case(tmp_path, "empty", np.zeros((48, 64), np.uint8)),
        case(tmp_path, "square", white[:, :48]),
        case(tmp_path, "missing", None),
        case(tmp_path, "damaged", b"no image"),
    ]
    calls: list[tuple[int, int]] = []
    with tempfile.TemporaryFile() as file:
        pixels, excluded = decode_to_memmap(
            cases, PREPROCESSING, file, on_progress=lambda *at: calls.append(at)
        )
    assert set(pixels) == {"good", "half_the_size"}
    assert [pixels["good"].shape, pixels["half_the_size"][..., 3].min()] == [(24, 32, 4), 255]
    reasons = {image.image_id: image.reason for image in excluded}
    assert set(reasons) == {"empty", "square", "missing", "damaged"}
    assert "the mask is empty" in reasons["empty"]
    assert "aspect ratio" in reasons["square"]
    assert "missing_segmentation.png" in reasons["missing"]
    assert "damaged_segmentation.png" in reasons["damaged"]
    assert calls[-1] == (6, 6)


def test_image_equals_prediction_input(tmp_path: Path) -> None:
    sample = case(tmp_path, "one", np.full((48, 64), 255, np.uint8))
    with tempfile.TemporaryFile() as file:
        pixels, _ = decode_to_memmap([sample], PREPROCESSING, file, on_progress=lambda *_: None)
    assert (
        pixels["one"][..., :3] == PREPROCESSING.extract_crops(PREPROCESSING.load_image(sample.path))[0]
    ).all()


def test_full_disk_is_an_error_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fallocate(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    sample = case(tmp_path, "one", np.full((48, 64), 255, np.uint8))
    with (
        tempfile.TemporaryFile() as file,
        pytest.raises(WriteError, match=r"No space left on device.*Free some space"),
    ):
        decode_to_memmap([sample], PREPROCESSING, file, on_progress=lambda *_: None)
