"""Batches for `accelerator.py`: augmented crops of noise, made on the device or as the loader makes them."""

import numpy as np
import torch
from limits import wait
from torch.utils.data import default_collate

from lesionlens.data.part import Batch, Part
from lesionlens.data.resident import Resident
from lesionlens.data.train_crops import TrainCrops
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import Visit

IMAGES, SHAPE, CLASSES = 64, (341, 455), 7  # different images; what they show costs nothing


class Noise:
    """Images of noise, as a store gives them."""

    kind = "none"

    def __init__(self) -> None:
        self._images = np.random.default_rng(0).integers(0, 256, (IMAGES, *SHAPE, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return IMAGES

    def shape(self, index: int) -> tuple[int, int]:
        return SHAPE

    def __getitem__(self, index: int) -> np.ndarray:
        return self._images[index]


class Feed:
    """Batches of augmented crops: from images on the device, or as the loader makes them on a core."""

    def __init__(self, images: int, *, size: int, crops: int | None, device: str) -> None:
        part = Part(Noise(), np.arange(IMAGES), np.arange(IMAGES) % CLASSES)
        self._crops = TrainCrops(
            part,
            (size, size),
            "ordered" if crops else "random-resized",
            crops or 1,
            crops is not None,
            Augmentation(preset="arl"),
            0,
        )
        self._resident = Resident(self._crops, torch.device(device))
        self._images, self._seen, self._device = images, 0, device

    def _visits(self) -> list[Visit]:
        self._seen += self._images
        return [Visit(0, self._seen + number, number % IMAGES, 0) for number in range(self._images)]

    def batch(self) -> Batch:
        batch = self._resident.batch([self._crops.drawn(visit) for visit in self._visits()])
        wait(self._device)
        return batch

    def by_loader(self) -> Batch:
        return Batch(
            *(part.to(self._device) for part in default_collate([self._crops[v] for v in self._visits()]))
        )
