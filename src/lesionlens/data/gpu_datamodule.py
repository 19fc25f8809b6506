"""Training images in GPU memory: crops and augmentation are computed there for a complete batch at a time.

Crops and augmentations are the same as those of the CPU loader; pixels differ by one or two gray levels (see
``gpu_transforms``).
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

# Fraction of the memory that is free before training; the remainder is for the network and its batches.
MAX_MEMORY_FRACTION = 0.5


def fits_in_gpu_memory(split_data: SplitData, device: torch.device) -> bool:
    """Return whether the images and masks of a split fit into half of the free memory of a CUDA device."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return memory_bytes(split_data) <= MAX_MEMORY_FRACTION * free


def memory_bytes(split_data: SplitData) -> int:
    """Return the number of bytes of the images and masks of a split."""
    pixels = sum(height * width for height, width in map(split_data.region_size, range(len(split_data))))
    return _num_channels(split_data) * pixels


class GpuImageCache:
    """Images and masks of a training split on a device, and the batches computed from them.

    Parameters
    ----------
    dataset
        Training dataset; its images are copied to the device.
    device
        Device of the images and of the batches.
    """

    def __init__(self, dataset: TrainDataset, device: torch.device) -> None:
        split = dataset.split_data
        self._dataset = dataset
        self._images = _copy_to_device(split, device)
        self._targets = torch.tensor(split.targets, device=device)
        weights = np.ones(len(split)) if split.sample_weights is None else split.sample_weights
        self._sample_weights = torch.tensor(weights, dtype=torch.float32, device=device)
        has_mask = np.zeros(len(split), dtype=bool) if split.masks is None else split.masks.has_mask
        self._has_mask = torch.tensor(has_mask, device=device)

    def make_batch(self, params: Sequence[SampleParams]) -> Batch:
        """Crop and augment the images of b samples and return the batch."""
        make_crops = self._augment_all_crops if self._dataset.all_crops else self._augment_single_crops
        pixels = make_crops(params).to(torch.uint8)
        images = torch.tensor([sample.image_index for sample in params], device=pixels.device)
        crops, masks = pixels[:, :, :3], pixels[:, :, 3:]
        return Batch(
            crops=crops.movedim(2, -1).contiguous(),
            target=self._targets[images],
            sample_weight=self._sample_weights[images],
            masks=masks[:, :, 0].contiguous()
            if masks.shape[2]
            else pixels.new_zeros(*pixels.shape[:2], 0, 0),
            has_mask=self._has_mask[images],
        )

    def _augment_single_crops(self, params: Sequence[SampleParams]) -> Tensor:
        """Take one crop of each image, then augment the crops: (b, 1, c, h, w)."""
        images = [self._images[sample.image_index] for sample in params]
        boxes = [sample.crop_boxes[0] for sample in params]
        augment_params = [sample.augment_params for sample in params]
        return crop_and_augment_batch(augment_params, images, boxes, self._dataset.crop_size)[:, None]

    def _augment_all_crops(self, params: Sequence[SampleParams]) -> Tensor:
        """Augment each full image, then take all its crops: (b, n, c, h, w)."""
        crops = []
        for index, boxes, augment_params in params:
            image = augment_batch([augment_params], self._images[index][None].float())[0]
            crops.append(crop_resize_batch([image] * len(boxes), boxes, self._dataset.crop_size))
        return torch.stack(crops)


class GpuDataModule(LesionDataModule[TrainDataset]):
    """Data module whose training images are in GPU memory: its loader only samples, the GPU computes the batches.

    Parameters
    ----------
    datamodule
        Data module with the datasets, the sampler and the batch size.
    device
        Device that stores the training images.
    """

    def __init__(self, datamodule: LesionDataModule[TrainDataset], device: torch.device) -> None:
        super().__init__(
            datamodule.train_dataset,
            datamodule.val_dataset,
            datamodule.sampler,
            batch_size=datamodule.batch_size,
            val_batch_size=datamodule.val_batch_size,
            num_workers=datamodule.num_workers,
        )
        self._gpu_cache = GpuImageCache(datamodule.train_dataset, device)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return a loader of lists of ``SampleParams``, from which ``transfer_batch_to_device`` makes batches."""
        return self.epoch_dataloader(SampleParamsDataset(self.train_dataset), collate_fn=list)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Batch:
        """Compute a training batch on the device; move any other batch as Lightning does."""
        if isinstance(batch, list):
            return self._gpu_cache.make_batch(batch)
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved


class SampleParamsDataset(Dataset[SampleParams]):
    """Sampled parameters of each training sample, without pixels."""

    def __init__(self, dataset: TrainDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, sample_index: SampleIndex) -> SampleParams:
        return self._dataset.sample_params(sample_index)


def _num_channels(split_data: SplitData) -> int:
    return 3 if split_data.masks is None else 4


def _copy_to_device(split_data: SplitData, device: torch.device) -> list[Tensor]:
    """Copy each image, with its mask as a fourth channel, into one block of memory: views (c, h, w) of it."""
    shapes = [(_num_channels(split_data), *split_data.region_size(index)) for index in range(len(split_data))]
    block = torch.zeros(memory_bytes(split_data), dtype=torch.uint8, device=device)
    chunks = torch.split(block, [int(np.prod(shape)) for shape in shapes])
    tensors = [chunk.view(shape) for chunk, shape in zip(chunks, shapes, strict=True)]
    for index, tensor in enumerate(tensors):
        image, mask = split_data.crop_region(index)
        tensor[:3] = torch.tensor(image, device=device).permute(2, 0, 1)
        if mask is not None:
            tensor[3] = torch.tensor(mask, device=device)
    return tensors
