"""Augmented crops for training; every random choice is a function of seed, epoch and position."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lesionlens.crops.box import Box
from lesionlens.crops.cut import resized_crops
from lesionlens.crops.strategies import CropName, strategy
from lesionlens.data.change import Change, move, recolour
from lesionlens.data.moved_crop import moved_crop
from lesionlens.data.part import Batch, Part
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import Visit


class Drawn(NamedTuple):
    """What is drawn of a visit.

    Attributes
    ----------
    image
        Which of the part.
    boxes
        Where its crops lie in what is seen of it.
    change
        How it is moved and recoloured.
    """

    image: int
    boxes: Sequence[Box]
    change: Change


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

    def drawn(self, visit: Visit) -> Drawn:
        """Draw what a visit sees; no pixel is needed for it."""
        rng = np.random.default_rng((self.seed, visit.epoch, visit.position))
        height, width = self.part.shape(visit.image)
        draw = strategy(self.crops, self.count)
        numbers = range(self.count) if self.together else [visit.crop]
        boxes = [draw(height, width, number, rng) for number in numbers]
        return Drawn(visit.image, boxes, self.augment.draw(rng))

    def __getitem__(self, visit: Visit) -> Batch:
        drawn, (image, mask) = self.drawn(visit), self.part.seen(visit.image)
        views = self._views(drawn, image, partial(recolour, drawn.change))
        masks = None if mask is None else self._views(drawn, mask)
        return self.part.batch(visit.image, views, masks)

    def _views(
        self,
        drawn: Drawn,
        picture: NDArray[np.uint8],
        recoloured: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda picture: picture,
    ) -> NDArray[np.uint8]:
        """Give the views of an image or of its mask: all of the whole picture changed, or one crop of fewer pixels."""
        if self.together:
            return resized_crops(recoloured(move(drawn.change, picture)), drawn.boxes, self.size)
        return recoloured(moved_crop(drawn.change, picture, drawn.boxes[0], self.size))[None]
