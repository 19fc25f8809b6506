"""The images of one part as batches; every random choice is a function of seed, epoch and position."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lesionlens.crops.strategies import CropName, strategy
from lesionlens.data.balance import Sampling, order
from lesionlens.data.store import ImageStore
from lesionlens.data.transforms import Augmentation, apply, resized_crop
from lesionlens.preprocessing import Preprocessing


class Visit(NamedTuple):
    """One crop of one image in one epoch, or one image with all its crops."""

    epoch: int
    position: int
    image: int
    crop: int


class Batch(NamedTuple):
    """Views uint8 (b, n, h, w, 3), class of each image (b,)."""

    views: Tensor
    target: Tensor


@dataclass(frozen=True)
class Part:
    """Where the images of a part lie in the store, and their classes."""

    store: ImageStore
    places: NDArray[np.int64]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Give an image, (h, w, 3)."""
        return self.store[int(self.places[index])]


@dataclass(frozen=True)
class TrainCrops(Dataset[Batch]):
    """A visit to an augmented crop: what is drawn depends on seed, epoch and position alone, not on the worker.

    Attributes
    ----------
    size
        Height and width of a view.
    crops, count
        Strategy, and how many crops of an image there are in an epoch.
    together
        All crops of an image come in one visit: the whole image is augmented, then cut at its places.
    """

    part: Part
    size: tuple[int, int]
    crops: CropName
    count: int
    together: bool
    augment: Augmentation
    seed: int

    @property
    def views(self) -> int:
        """Number n of views that a visit gives."""
        return self.count if self.together else 1

    def __getitem__(self, visit: Visit) -> Batch:
        rng = np.random.default_rng((self.seed, visit.epoch, visit.position))
        image = self.part.image(visit.image)
        draw = strategy(self.crops, self.count)
        height, width = image.shape[:2]
        if self.together:
            image = apply(self.augment.draw(rng), image)
            boxes = [draw(height, width, number, rng) for number in range(self.count)]
            views = np.stack([resized_crop(image, box, self.size) for box in boxes])
        else:  # the crop first: fewer pixels to change
            crop = resized_crop(image, draw(height, width, visit.crop, rng), self.size)
            views = apply(self.augment.draw(rng), crop)[None]
        return _batch(views, self.part.targets[visit.image])


@dataclass(frozen=True)
class TestCrops(Dataset[Batch]):
    """The test crops of an image, which are scored together."""

    __test__ = False  # no test class for pytest
    part: Part
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Batch:
        return _batch(self.preprocessing.views(self.part.image(index)), self.part.targets[index])


class Visits(Sampler[Visit]):
    """The order of an epoch: each of the images' crops once, classes balanced as asked.

    Lightning calls ``set_epoch`` before each epoch; a resumed run therefore draws what it would have drawn.
    """

    def __init__(self, targets: NDArray[np.int64], *, crops: int, sampling: Sampling, seed: int) -> None:
        self.targets, self.crops, self.sampling, self.seed, self.epoch = targets, crops, sampling, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._order())

    def __iter__(self) -> Iterator[Visit]:
        for position, (image, crop) in enumerate(self._order()):
            yield Visit(self.epoch, position, int(image), int(crop))

    def _order(self) -> NDArray[np.int64]:
        """Images and crop numbers, (n, 2): one round of all images for each crop, so that crops are spread."""
        rng = np.random.default_rng((self.seed, self.epoch))
        rounds = [order(self.targets, self.sampling, rng) for _ in range(self.crops)]
        numbers = [
            np.full(len(images), crop)
            for crop, images in zip(rng.permutation(self.crops), rounds, strict=True)
        ]
        return np.stack([np.concatenate(rounds), np.concatenate(numbers)], axis=1)


def _batch(views: NDArray[np.uint8], target: np.int64) -> Batch:
    return Batch(torch.from_numpy(views), torch.tensor(int(target)))


class LesionData(L.LightningDataModule):
    """Loaders of the training and the validation part."""

    def __init__(
        self, train: TrainCrops, validation: TestCrops, visits: Visits, *, batch_size: int, workers: int
    ) -> None:
        super().__init__()
        self.train, self.validation, self.visits = train, validation, visits
        self.batch_size, self.workers = batch_size, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Give batches of visits; the last, smaller one is left out where there are others (batch norm)."""
        drop = len(self.visits) > self.batch_size
        return DataLoader(
            self.train,
            batch_size=self.batch_size,
            sampler=self.visits,
            num_workers=self.workers,
            drop_last=drop,
            persistent_workers=self.workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Give batches of whole images with their test crops, in order: as many views at once as in training."""
        views = self.batch_size * self.train.views
        images = max(1, views // self.validation.preprocessing.crop_count)
        return DataLoader(self.validation, batch_size=images, num_workers=self.workers)
