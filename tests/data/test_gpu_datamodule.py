"""Batches made where the images lie, against those of the loader."""

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
REGIONS = [CropBox(5, 10, 40, 50), None, CropBox(0, 0, 64, 60), None, None]
MOST = 3 if int(cv2.__version__.split(".")[0]) >= 5 else 10  # grey levels: one each for cut, warp and colours
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module")
def images() -> list[NDArray[np.uint8]]:
    """Draw blots under noise."""
    rng = np.random.default_rng(0)
    blots = [rng.integers(60, 200, (6, 6, 3), dtype=np.uint8) for _ in SHAPES]
    large = [cv2.resize(blot, (width, height)) for blot, (height, width) in zip(blots, SHAPES, strict=True)]
    return [(image + rng.integers(0, 9, image.shape)).astype(np.uint8) for image in large]


def masks_of(images: list[NDArray[np.uint8]]) -> MaskStore:
    """Find the bright half; the second image has no mask."""
    packed = [compress_mask(np.where(image[..., 0] > 130, 255, 0).astype(np.uint8)) for image in images]
    return MaskStore([packed[0], None, *packed[2:]], SHAPES)


def crops_of(
    images: list[NDArray[np.uint8]], *, name: Any = "random-resized", together: bool = False, **known: Any
) -> TrainDataset:
    part = SplitData(cast(Any, InMemoryImages(images)), np.arange(5), np.array([0, 1, 2, 1, 0]), **known)
    return TrainDataset(part, (48, 48), name, 5, together, Augmentation(preset="strong"), 3)


def assert_alike(found: Batch, wanted: Batch) -> None:
    for name, ours, theirs in zip(Batch._fields, found, wanted, strict=True):
        ours = ours.cpu()
        assert (ours.shape, ours.dtype, ours.stride()) == (theirs.shape, theirs.dtype, theirs.stride()), name
        if name in {"crops", "masks"} and theirs.numel():
            apart = (ours.float() - theirs.float()).abs()
            assert apart.max() <= MOST
            assert apart.mean() < (0.15 if MOST == 3 else 1)
        else:
            assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["grid", "random-resized", "attnmel-random"])
@pytest.mark.parametrize("together", [False, True])
def test_batches_are_those_of_the_loader(
    images: list[NDArray[np.uint8]], name: Any, together: bool, device: str
) -> None:
    weights = np.arange(5, dtype=np.float32)
    masks = masks_of(images)
    for known in ({}, {"masks": masks, "sample_weights": weights, "lesion_boxes": REGIONS}):
        crops = crops_of(images, name=name, together=together, **known)
        visits = [SampleIndex(1, place, place % 5, place % 3) for place in range(10)]
        found = GpuImageCache(crops, torch.device(device)).make_batch(
            [crops.sample_params(visit) for visit in visits]
        )
        assert_alike(found, default_collate([crops[visit] for visit in visits]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_has_the_same_batches(images: list[NDArray[np.uint8]], workers: int, device: str) -> None:
    crops = crops_of(images, masks=masks_of(images))
    visits = EpochSampler(crops.split_data.targets, crops_per_image=2, sampling="shuffle", seed=0)
    validation = EvalDataset(crops.split_data, Preprocessing(input_size=(48, 48)))
    plain = LesionDataModule(crops, validation, visits, batch_size=4, num_workers=workers)
    on_device = torch.device(device)
    data = GpuDataModule(plain, on_device)
    visits.set_epoch(2)
    found = [data.transfer_batch_to_device(drawn, on_device, 0) for drawn in data.train_dataloader()]
    wanted = list(plain.train_dataloader())
    assert len(found) == len(wanted) == 2
    for ours, theirs in zip(found, wanted, strict=True):
        assert_alike(ours, theirs)
    checked = [data.transfer_batch_to_device(batch, on_device, 0) for batch in data.val_dataloader()]
    for ours, theirs in zip(checked, plain.val_dataloader(), strict=True):
        assert torch.equal(ours.crops.cpu(), theirs.crops)


def test_images_go_to_a_card_with_twice_their_room(
    images: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = crops_of(images).split_data
    room = 3 * (4800 + 4800 + 4096 + 4500 + 4800)
    assert memory_bytes(part) == room
    assert memory_bytes(crops_of(images, masks=masks_of(images), lesion_boxes=REGIONS).split_data) == 4 * (
        2000 + 4800 + 3840 + 4500 + 4800
    )
    for free, there in [(2 * room, True), (2 * room - 1, False)]:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**12))
        assert fits_in_gpu_memory(part, torch.device("cuda")) is there
    assert not fits_in_gpu_memory(part, torch.device("cpu"))
