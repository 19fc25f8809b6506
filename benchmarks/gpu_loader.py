"""Batches for `gpu.py`: augmented crops of noise, made on the device or by the CPU loader."""

import numpy as np
import torch
from roofline import synchronize
from torch.utils.data import default_collate

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.dataset import Batch, SplitData, TrainDataset
from lesionlens.data.gpu_datamodule import GpuImageCache
from lesionlens.data.sampler import SampleIndex

NUM_IMAGES, IMAGE_SHAPE, NUM_CLASSES = (
    64,
    (341, 455),
    7,
)  # different images; their content does not affect the time


class NoiseImages:
    """Image cache of noise images."""

    cache_format = "none"

    def __init__(self) -> None:
        self._images = np.random.default_rng(0).integers(
            0, 256, (NUM_IMAGES, *IMAGE_SHAPE, 3), dtype=np.uint8
        )

    def __len__(self) -> int:
        return NUM_IMAGES

    def shape(self, index: int) -> tuple[int, int]:
        return IMAGE_SHAPE

    def __getitem__(self, index: int) -> np.ndarray:
        return self._images[index]


class BatchFeed:
    """Batches of augmented crops, made on the device or by the CPU loader on one core."""

    def __init__(self, batch_size: int, *, size: int, crops: int | None, device: str) -> None:
        split_data = SplitData(NoiseImages(), np.arange(NUM_IMAGES), np.arange(NUM_IMAGES) % NUM_CLASSES)
        self._crops = TrainDataset(
            split_data,
            (size, size),
            "grid" if crops else "random-resized",
            crops or 1,
            crops is not None,
            Augmentation(preset="arl"),
            0,
        )
        self._gpu_cache = GpuImageCache(self._crops, torch.device(device))
        self._batch_size, self._num_seen, self._device = batch_size, 0, device

    def _next_indices(self) -> list[SampleIndex]:
        self._num_seen += self._batch_size
        return [
            SampleIndex(0, self._num_seen + number, number % NUM_IMAGES, 0)
            for number in range(self._batch_size)
        ]

    def batch(self) -> Batch:
        batch = self._gpu_cache.make_batch(
            [self._crops.sample_params(visit) for visit in self._next_indices()]
        )
        synchronize(self._device)
        return batch

    def loader_batch(self) -> Batch:
        return Batch(
            *(
                part.to(self._device)
                for part in default_collate([self._crops[v] for v in self._next_indices()])
            )
        )
