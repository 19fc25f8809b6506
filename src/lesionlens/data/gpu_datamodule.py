"""Training images in an accelerator's memory, where whole batches are cut and changed: no loader keeps up with it.

What is drawn is what the loader would draw; a pixel differs by a grey level or two (see ``gpu_transforms``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lesionlens.data.datamodule import LesionDataModule
from lesionlens.data.dataset import Batch, SampleParams, SplitData, TrainDataset
from lesionlens.data.gpu_transforms import augment_batch, crop_and_augment_batch, crop_resize_batch
from lesionlens.data.sampler import SampleIndex

# of the memory that is free before training: the rest is for the network and its batches
MAX_MEMORY_FRACTION = 0.5


def fits_in_gpu_memory(split_data: SplitData, device: torch.device) -> bool:
    """Say whether all images of a part, and their masks, take less than half of a CUDA device's free memory."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return memory_bytes(split_data) <= MAX_MEMORY_FRACTION * free


def memory_bytes(split_data: SplitData) -> int:
    """Count what the images and masks of a part take."""
    pixels = sum(height * width for height, width in map(split_data.region_size, range(len(split_data))))
    return _num_channels(split_data) * pixels


class GpuImageCache:
    """The images and masks of a part on a device, and the batches made of them there.

    Parameters
    ----------
    dataset
        What the loader would give; its part is copied to the device.
    device
        Any of torch's.
    """

    def __init__(self, dataset: TrainDataset, device: torch.device) -> None:
        part = dataset.split_data
        self._dataset = dataset
        self._images = _copy_to_device(part, device)
        self._targets = torch.tensor(part.targets, device=device)
        weights = np.ones(len(part)) if part.sample_weights is None else part.sample_weights
        self._sample_weights = torch.tensor(weights, dtype=torch.float32, device=device)
        known = np.zeros(len(part), dtype=bool) if part.masks is None else part.masks.has_mask
        self._has_mask = torch.tensor(known, device=device)

    def make_batch(self, params: Sequence[SampleParams]) -> Batch:
        """Make the batch of b visits."""
        pixels = (
            self._augment_all_crops(params) if self._dataset.all_crops else self._augment_single_crops(params)
        )
        images = torch.tensor([each.image_index for each in params], device=pixels.device)
        pixels = pixels.to(torch.uint8)
        views, masks = pixels[:, :, :3], pixels[:, :, 3:]
        return Batch(
            crops=views.movedim(2, -1).contiguous(),
            target=self._targets[images],
            sample_weight=self._sample_weights[images],
            masks=masks[:, :, 0].contiguous()
            if masks.shape[2]
            else pixels.new_zeros(*pixels.shape[:2], 0, 0),
            has_mask=self._has_mask[images],
        )

    def _augment_single_crops(self, params: Sequence[SampleParams]) -> Tensor:
        """Cut one crop of each image, then change them all: (b, 1, c, h, w)."""
        pictures = [self._images[each.image_index] for each in params]
        boxes = [each.crop_boxes[0] for each in params]
        return crop_and_augment_batch(
            [each.augment_params for each in params], pictures, boxes, self._dataset.crop_size
        )[:, None]

    def _augment_all_crops(self, params: Sequence[SampleParams]) -> Tensor:
        """Change each whole image, then cut all its crops: (b, n, c, h, w)."""
        found = []
        for each in params:
            changed = augment_batch([each.augment_params], self._images[each.image_index][None].float())[0]
            found.append(
                crop_resize_batch([changed] * len(each.crop_boxes), each.crop_boxes, self._dataset.crop_size)
            )
        return torch.stack(found)


class GpuDataModule(LesionDataModule):
    """Loaders whose training part lies on a device: its loader only draws, and the batch is made there.

    Parameters
    ----------
    datamodule
        The loaders without that.
    device
        Where training images shall lie.
    """

    def __init__(self, datamodule: LesionDataModule, device: torch.device) -> None:
        super().__init__(
            datamodule.train_dataset,
            datamodule.val_dataset,
            datamodule.sampler,
            batch_size=datamodule.batch_size,
            num_workers=datamodule.num_workers,
        )
        self._gpu_cache = GpuImageCache(datamodule.train_dataset, device)

    def train_dataloader(self) -> DataLoader[Any]:
        """Give lists of what is drawn, for ``transfer_batch_to_device``."""
        return self.epoch_dataloader(SampleParamsDataset(self.train_dataset), collate_fn=list)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Batch:
        """Make a training batch; move any other, as Lightning does."""
        if isinstance(batch, list):
            return self._gpu_cache.make_batch(batch)
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved


class SampleParamsDataset(Dataset[SampleParams]):
    """What is drawn of each visit, without a pixel."""

    def __init__(self, dataset: TrainDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, sample_index: SampleIndex) -> SampleParams:
        return self._dataset.sample_params(sample_index)


def _num_channels(split_data: SplitData) -> int:
    return 3 if split_data.masks is None else 4


def _copy_to_device(split_data: SplitData, device: torch.device) -> list[Tensor]:
    """Copy each image, with its mask as a fourth channel, into one block of memory: each (c, h, w)."""
    shapes = [(_num_channels(split_data), *split_data.region_size(index)) for index in range(len(split_data))]
    block = torch.zeros(memory_bytes(split_data), dtype=torch.uint8, device=device)
    places = torch.split(block, [int(np.prod(shape)) for shape in shapes])
    pictures = [place.view(shape) for place, shape in zip(places, shapes, strict=True)]
    for index, picture in enumerate(pictures):
        image, mask = split_data.crop_region(index)
        picture[:3] = torch.tensor(image, device=device).permute(2, 0, 1)
        if mask is not None:
            picture[3] = torch.tensor(mask, device=device)
    return pictures
