"""The images of one part and what is known of each; batches of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.cache_formats import ImageCache
from lesionlens.data.mask_store import MaskImage, MaskStore
from lesionlens.data.sampler import SampleIndex
from lesionlens.data.transforms import AugmentParams, apply_color, apply_geometric, crop_and_transform
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.imaging.masks import ImageSize
from lesionlens.imaging.resize import resized_crops


class Batch(NamedTuple):
    """What a step sees.

    Attributes
    ----------
    crops
        Crops of b images, uint8 (b, n, h, w, 3).
    target
        Class of each image, (b,).
    sample_weight
        Of each image in the loss, float32 (b,).
    masks
        The crops of the images' masks, uint8 (b, n, h, w) from 0 to 255, soft at edges; all 0 where there is none.
        Without masks for the whole part (b, n, 0, 0).
    has_mask
        Whether each image has a mask, bool (b,).
    """

    crops: Tensor
    target: Tensor
    sample_weight: Tensor
    masks: Tensor
    has_mask: Tensor


@dataclass(frozen=True)
class SplitData:
    """Where the images of a part lie in the store, and what is known of each.

    Attributes
    ----------
    cache_indices
        Of the n images in the store.
    targets
        Their classes, (n,).
    sample_weights
        In the loss, (n,); None: 1.
    masks
        Where attention should look; None where it is not asked.
    lesion_boxes
        The box of each image in which all crops lie, or None for the whole image.
    """

    image_cache: ImageCache
    cache_indices: NDArray[np.int64]
    targets: NDArray[np.int64]
    sample_weights: NDArray[np.float32] | None = None
    masks: MaskStore | None = None
    lesion_boxes: Sequence[CropBox | None] | None = None

    def __len__(self) -> int:
        return len(self.cache_indices)

    def load_image(self, index: int) -> NDArray[np.uint8]:
        """Give an image, (h, w, 3)."""
        return self.image_cache[int(self.cache_indices[index])]

    def lesion_box(self, index: int) -> CropBox | None:
        """Give the box in which an image's crops lie."""
        return None if self.lesion_boxes is None else self.lesion_boxes[index]

    def region_size(self, index: int) -> ImageSize:
        """Give height and width of what is seen of an image."""
        region = self.lesion_box(index)
        if region is None:
            return self.image_cache.shape(int(self.cache_indices[index]))
        return round(region.height), round(region.width)

    def crop_region(self, index: int) -> tuple[NDArray[np.uint8], MaskImage | None]:
        """Give what is seen of an image (its region) and of its mask."""
        region = self.lesion_box(index)
        place = (slice(None), slice(None)) if region is None else region.slices()
        mask = None if self.masks is None else self.masks[index]
        return self.load_image(index)[place], None if mask is None else mask[place]

    def make_sample(self, index: int, crops: NDArray[np.uint8], masks: MaskImage | None = None) -> Batch:
        """Join the views of an image (n, h, w, 3), and of its mask (n, h, w), with what is known of it."""
        none = np.zeros((len(crops), 0, 0) if self.masks is None else crops.shape[:3], dtype=np.uint8)
        return Batch(
            crops=torch.from_numpy(crops),
            target=torch.tensor(int(self.targets[index])),
            sample_weight=torch.tensor(
                1.0 if self.sample_weights is None else float(self.sample_weights[index])
            ),
            masks=torch.from_numpy(none if masks is None else masks),
            has_mask=torch.tensor(masks is not None),
        )


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
        drawn, (image, mask) = (
            self.sample_params(sample_index),
            self.split_data.crop_region(sample_index.image_index),
        )
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
            return resized_crops(
                color_transform(apply_geometric(params.augment_params, image)),
                params.crop_boxes,
                self.crop_size,
            )
        return color_transform(
            crop_and_transform(params.augment_params, image, params.crop_boxes[0], self.crop_size)
        )[None]
