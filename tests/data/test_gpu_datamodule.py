"""Batches computed on the device against those of the CPU loader."""

from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.datamodule import EvalDataset, LesionDataModule
from lesionlens.data.dataset import Batch, SplitData, TrainDataset
from lesionlens.data.gpu_datamodule import GpuDataModule, GpuImageCache, fits_in_gpu_memory, memory_bytes
from lesionlens.data.mask_store import MaskStore, compress_mask
from lesionlens.data.sampler import EpochSampler, SampleIndex
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing

from ..helpers.image_cache import InMemoryImages

SHAPES = [(60, 80), (80, 60), (64, 64), (50, 90), (60, 80)]
BOXES = [CropBox(5, 10, 40, 50), None, CropBox(0, 0, 64, 60), None, None]
TOLERANCE = (
    3 if int(cv2.__version__.split(".")[0]) >= 5 else 10
)  # gray levels: one each for crop, warp and color
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module")
def images() -> list[NDArray[np.uint8]]:
    """Return blobs under noise."""
    rng = np.random.default_rng(0)
    blots = [rng.integers(60, 200, (6, 6, 3), dtype=np.uint8) for _ in SHAPES]
    large = [cv2.resize(blot, (width, height)) for blot, (height, width) in zip(blots, SHAPES, strict=True)]
    return [(image + rng.integers(0, 9, image.shape)).astype(np.uint8) for image in large]


def bright_masks(images: list[NDArray[np.uint8]]) -> MaskStore:
    """Return masks of the bright pixels; the second image has no mask."""
    compressed = [compress_mask(np.where(image[..., 0] > 130, 255, 0).astype(np.uint8)) for image in images]
    return MaskStore([compressed[0], None, *compressed[2:]], SHAPES)


def make_dataset(
    images: list[NDArray[np.uint8]],
    *,
    name: Any = "random-resized",
    all_crops: bool = False,
    **split_fields: Any,
) -> TrainDataset:
    split = SplitData(
        cast(Any, InMemoryImages(images)), np.arange(5), np.array([0, 1, 2, 1, 0]), **split_fields
    )
    return TrainDataset(split, (48, 48), name, 5, all_crops, Augmentation(preset="strong"), 3)


def assert_alike(actual: Batch, expected: Batch) -> None:
    for name, ours, theirs in zip(Batch._fields, actual, expected, strict=True):
        ours = ours.cpu()
        assert (ours.shape, ours.dtype, ours.stride()) == (theirs.shape, theirs.dtype, theirs.stride()), name
        if name in {"crops", "masks"} and theirs.numel():
            difference = (ours.float() - theirs.float()).abs()
            assert difference.max() <= TOLERANCE
            assert difference.mean() < (0.15 if TOLERANCE == 3 else 1)
        else:
            assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["grid", "random-resized", "attnmel-random"])
@pytest.mark.parametrize("all_crops", [False, True])
def test_batches_equal_those_of_the_loader(
    images: list[NDArray[np.uint8]], name: Any, all_crops: bool, device: str
) -> None:
    weights = np.arange(5, dtype=np.float32)
    masks = bright_masks(images)
    for split_fields in ({}, {"masks": masks, "sample_weights": weights, "lesion_boxes": BOXES}):
        crops = make_dataset(images, name=name, all_crops=all_crops, **split_fields)
        indices = [SampleIndex(1, position, position % 5, position % 3) for position in range(10)]
        actual = GpuImageCache(crops, torch.device(device)).make_batch(
            [crops.sample_params(index) for index in indices]
        )
        assert_alike(actual, default_collate([crops[index] for index in indices]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_has_the_same_batches(images: list[NDArray[np.uint8]], workers: int, device: str) -> None:
    crops = make_dataset(images, masks=bright_masks(images))
    sampler = EpochSampler(crops.split_data.targets, crops_per_image=2, sampling="shuffle", seed=0)
    validation = EvalDataset(crops.split_data, Preprocessing(input_size=(48, 48)))
    cpu_data = LesionDataModule(
        crops, validation, sampler, batch_size=4, val_batch_size=8, num_workers=workers
    )
    target_device = torch.device(device)
    data = GpuDataModule(cpu_data, target_device)
    sampler.set_epoch(2)
    actual = [data.transfer_batch_to_device(params, target_device, 0) for params in data.train_dataloader()]
    expected = list(cpu_data.train_dataloader())
    assert len(actual) == len(expected) == 2
    for ours, theirs in zip(actual, expected, strict=True):
        assert_alike(ours, theirs)
    validated = [data.transfer_batch_to_device(batch, target_device, 0) for batch in data.val_dataloader()]
    for ours, theirs in zip(validated, cpu_data.val_dataloader(), strict=True):
        assert torch.equal(ours.crops.cpu(), theirs.crops)


def test_fits_in_gpu_memory_needs_twice_the_size(
    images: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    split = make_dataset(images).split_data
    num_bytes = 3 * (4800 + 4800 + 4096 + 4500 + 4800)
    assert memory_bytes(split) == num_bytes
    assert memory_bytes(
        make_dataset(images, masks=bright_masks(images), lesion_boxes=BOXES).split_data
    ) == 4 * (2000 + 4800 + 3840 + 4500 + 4800)
    for free, fits in [(2 * num_bytes, True), (2 * num_bytes - 1, False)]:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**12))
        assert fits_in_gpu_memory(split, torch.device("cuda")) is fits
    assert not fits_in_gpu_memory(split, torch.device("cpu"))
