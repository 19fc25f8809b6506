"""Augmented crops for training; every random choice is a function of seed, epoch and position."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lesionlens.crops.box import CropBox
from lesionlens.crops.cut import resized_crops
from lesionlens.crops.strategies import CropName, make_crop_strategy
from lesionlens.data.change import AugmentParams, apply_geometric, apply_color
from lesionlens.data.moved_crop import crop_and_transform
from lesionlens.data.part import Batch, SplitData
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import SampleIndex


class SampleParams(NamedTuple):
    """What is drawn of a visit.

    Attributes
    ----------
    image_index
        Which of the part.
    crop_boxes
        Where its crops lie in what is seen of it.
    augment_params
        How it is moved and recoloured.
    """

    image_index: int
    crop_boxes: Sequence[CropBox]
    augment_params: AugmentParams


@dataclass(frozen=True)
class TrainDataset(Dataset[Batch]):
    """A visit to an augmented crop: what is drawn depends on seed, epoch and position alone, not on the worker.

    Attributes
    ----------
    crop_size
        Height and width of a view.
    crop_strategy, crops_per_image
        Strategy, and how many crops of an image there are in an epoch.
    all_crops
        All crops of an image come in one visit: the whole image is augmented, then cut at its places.
    """

    split_data: SplitData
    crop_size: tuple[int, int]
    crop_strategy: CropName
    crops_per_image: int
    all_crops: bool
    augmentation: Augmentation
    seed: int

    @property
    def crops_per_sample(self) -> int:
        """Number n of views that a visit gives."""
        return self.crops_per_image if self.all_crops else 1

    def sample_params(self, sample_index: SampleIndex) -> SampleParams:
        """Draw what a visit sees; no pixel is needed for it."""
        rng = np.random.default_rng((self.seed, sample_index.epoch, sample_index.position))
        height, width = self.split_data.region_size(sample_index.image_index)
        draw = make_crop_strategy(self.crop_strategy, self.crops_per_image)
        numbers = range(self.crops_per_image) if self.all_crops else [sample_index.crop_index]
        boxes = [draw(height, width, number, rng) for number in numbers]
        return SampleParams(sample_index.image_index, boxes, self.augmentation.make_params(rng))

    def __getitem__(self, sample_index: SampleIndex) -> Batch:
        drawn, (image, mask) = self.sample_params(sample_index), self.split_data.crop_region(sample_index.image_index)
        views = self._load_crops(drawn, image, partial(apply_color, drawn.augment_params))
        masks = None if mask is None else self._load_crops(drawn, mask)
        return self.split_data.make_sample(sample_index.image_index, views, masks)

    def _load_crops(
        self,
        params: SampleParams,
        image: NDArray[np.uint8],
        color_transform: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda picture: picture,
    ) -> NDArray[np.uint8]:
        """Give the views of an image or of its mask: all of the whole picture changed, or one crop of fewer pixels."""
        if self.all_crops:
            return resized_crops(color_transform(apply_geometric(params.augment_params, image)), params.crop_boxes, self.crop_size)
        return color_transform(crop_and_transform(params.augment_params, image, params.crop_boxes[0], self.crop_size))[None]
