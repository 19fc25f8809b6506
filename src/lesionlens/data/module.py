"""The images of one part as batches; every random choice is a function of seed, epoch and position."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lesionlens.crops.box import Box
from lesionlens.crops.cut import resized_crop
from lesionlens.crops.strategies import CropName, strategy
from lesionlens.data.change import apply, move
from lesionlens.data.mask_files import Mask
from lesionlens.data.masks import Masks
from lesionlens.data.stored import ImageStore
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import Visit, Visits
from lesionlens.preprocessing import Preprocessing


class Batch(NamedTuple):
    """What a step sees.

    Attributes
    ----------
    views
        Crops of b images, uint8 (b, n, h, w, 3).
    target
        Class of each image, (b,).
    weight
        Of each image in the loss, float32 (b,).
    masks
        The crops of the images' masks, uint8 (b, n, h, w) from 0 to 255, soft at edges; all 0 where there is none.
        Without masks for the whole part (b, n, 0, 0).
    known
        Whether each image has a mask, bool (b,).
    """

    views: Tensor
    target: Tensor
    weight: Tensor
    masks: Tensor
    known: Tensor


@dataclass(frozen=True)
class Part:
    """Where the images of a part lie in the store, and what is known of each.

    Attributes
    ----------
    places
        Of the n images in the store.
    targets
        Their classes, (n,).
    weights
        In the loss, (n,); None: 1.
    masks
        Where attention should look; None where it is not asked.
    regions
        The box of each image in which all crops lie, or None for the whole image.
    """

    store: ImageStore
    places: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None
    masks: Masks | None = None
    regions: Sequence[Box | None] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Give an image, (h, w, 3)."""
        return self.store[int(self.places[index])]

    def region(self, index: int) -> Box | None:
        """Give the box in which an image's crops lie."""
        return None if self.regions is None else self.regions[index]

    def batch(self, index: int, views: NDArray[np.uint8], masks: Mask | None = None) -> Batch:
        """Join the views of an image (n, h, w, 3), and of its mask (n, h, w), with what is known of it."""
        none = np.zeros((len(views), 0, 0) if self.masks is None else views.shape[:3], dtype=np.uint8)
        return Batch(
            views=torch.from_numpy(views),
            target=torch.tensor(int(self.targets[index])),
            weight=torch.tensor(1.0 if self.weights is None else float(self.weights[index])),
            masks=torch.from_numpy(none if masks is None else masks),
            known=torch.tensor(masks is not None),
        )


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
        image, region = self.part.image(visit.image), self.part.region(visit.image)
        mask = None if self.part.masks is None else self.part.masks[visit.image]
        if region is not None:
            image = image[region.pixels()]
            mask = None if mask is None else mask[region.pixels()]
        draw = strategy(self.crops, self.count)
        numbers = range(self.count) if self.together else [visit.crop]
        boxes = [draw(image.shape[0], image.shape[1], number, rng) for number in numbers]
        change = self.augment.draw(rng)
        views = self._cut(image, boxes, lambda picture: apply(change, picture))
        masks = None if mask is None else self._cut(mask, boxes, lambda picture: move(change, picture))
        return self.part.batch(visit.image, views, masks)

    def _cut(
        self,
        picture: NDArray[np.uint8],
        boxes: Sequence[Box],
        changed: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    ) -> NDArray[np.uint8]:
        """Give the views of an image or of its mask: all of the whole picture changed, or one crop, then changed."""
        if self.together:
            picture = changed(picture)
            return np.stack([resized_crop(picture, box, self.size) for box in boxes])
        return changed(resized_crop(picture, boxes[0], self.size))[None]  # fewer pixels to change


@dataclass(frozen=True)
class TestCrops(Dataset[Batch]):
    """The test crops of an image, which are scored together; masks are not cut."""

    __test__ = False  # no test class for pytest
    part: Part
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Batch:
        views = self.preprocessing.views(self.part.image(index), self.part.region(index))
        return self.part.batch(index, views)


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
