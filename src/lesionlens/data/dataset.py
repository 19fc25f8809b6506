"""Images, labels and masks of one split, the training dataset of augmented crops, and the batch type."""

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
    """Input of one training or validation step.

    Attributes
    ----------
    crops
        Crops of b images, uint8 (b, n, h, w, 3).
    target
        Class of each image, (b,).
    sample_weight
        Weight of each image in the loss, float32 (b,).
    masks
        The same crops of the images' masks, uint8 (b, n, h, w) from 0 to 255, soft at edges; all 0 for images without
        a mask; (b, n, 0, 0) if the split has no masks.
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
    """Images of one split with their labels, weights, masks and boxes.

    Attributes
    ----------
    image_cache
        Decoded images of the complete table.
    cache_indices
        Index of each of the n images in the cache, (n,).
    targets
        Class of each image, (n,).
    sample_weights
        Weight of each image in the loss, (n,); None: 1.
    masks
        Target masks of attention; None without mask supervision.
    lesion_boxes
        Box of each image from which its crops are taken, None for the full image; None: all images are used uncropped.
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
        """Return a decoded image, (h, w, 3)."""
        return self.image_cache[int(self.cache_indices[index])]

    def lesion_box(self, index: int) -> CropBox | None:
        """Return the box from which an image's crops are taken; None for the full image."""
        return None if self.lesion_boxes is None else self.lesion_boxes[index]

    def region_size(self, index: int) -> ImageSize:
        """Return the height and width of the region from which an image's crops are taken."""
        box = self.lesion_box(index)
        if box is None:
            return self.image_cache.shape(int(self.cache_indices[index]))
        return round(box.height), round(box.width)

    def crop_region(self, index: int) -> tuple[NDArray[np.uint8], MaskImage | None]:
        """Return the region of an image from which its crops are taken, (h, w, 3), and of its mask, (h, w)."""
        box = self.lesion_box(index)
        region = (slice(None), slice(None)) if box is None else box.slices()
        mask = None if self.masks is None else self.masks[index]
        return self.load_image(index)[region], None if mask is None else mask[region]

    def make_sample(self, index: int, crops: NDArray[np.uint8], masks: MaskImage | None = None) -> Batch:
        """Return the crops of an image (n, h, w, 3), and of its mask (n, h, w), with its label and weight."""
        no_masks = np.zeros((len(crops), 0, 0) if self.masks is None else crops.shape[:3], dtype=np.uint8)
        weight = 1.0 if self.sample_weights is None else float(self.sample_weights[index])
        return Batch(
            crops=torch.from_numpy(crops),
            target=torch.tensor(int(self.targets[index])),
            sample_weight=torch.tensor(weight),
            masks=torch.from_numpy(no_masks if masks is None else masks),
            has_mask=torch.tensor(masks is not None),
        )


class SampleParams(NamedTuple):
    """Random choices for one training sample.

    Attributes
    ----------
    image_index
        Index of the image in the split.
    crop_boxes
        Boxes of its crops in the region that ``SplitData.crop_region`` returns.
    augment_params
        Parameters of its augmentation.
    """

    image_index: int
    crop_boxes: Sequence[CropBox]
    augment_params: AugmentParams


@dataclass(frozen=True)
class TrainDataset(Dataset[Batch]):
    """Augmented crops for training.

    Augmentation is a deterministic function of seed, epoch and position in the epoch, whichever process loads it.

    Attributes
    ----------
    split_data
        Images of the training split.
    crop_size
        Height and width of a crop in pixels.
    crop_strategy, crops_per_image
        Name of the crop strategy, and number of crops of each image per epoch.
    all_crops
        Whether a sample has all crops of its image. The full image is then augmented before the crops are taken.
    augmentation
        Ranges of the random augmentation.
    seed
        Random seed for all draws.
    fixed_crop_ids
        ID of each image, which seeds its random crops: they are sampled once and are the same in all epochs (Zhang et
        al. 2019, section IV.B). None: random crops are sampled again in each epoch.
    """

    split_data: SplitData
    crop_size: tuple[int, int]
    crop_strategy: CropName
    crops_per_image: int
    all_crops: bool
    augmentation: Augmentation
    seed: int
    fixed_crop_ids: Sequence[str] | None = None

    @property
    def crops_per_sample(self) -> int:
        """Number of crops of one sample."""
        return self.crops_per_image if self.all_crops else 1

    def sample_params(self, sample_index: SampleIndex) -> SampleParams:
        """Sample the crops and the augmentation of a sample, without reading its pixels."""
        rng = np.random.default_rng((self.seed, sample_index.epoch, sample_index.position))
        height, width = self.split_data.region_size(sample_index.image_index)
        crop_box = make_crop_strategy(self.crop_strategy, self.crops_per_image)
        crop_indices = range(self.crops_per_image) if self.all_crops else [sample_index.crop_index]
        boxes = [
            crop_box(height, width, crop_index, self._crop_rng(sample_index.image_index, crop_index) or rng)
            for crop_index in crop_indices
        ]
        return SampleParams(sample_index.image_index, boxes, self.augmentation.make_params(rng))

    def _crop_rng(self, image_index: int, crop_index: int) -> np.random.Generator | None:
        """Return the generator of a crop that is the same in all epochs; None if it is sampled in each."""
        if self.fixed_crop_ids is None:
            return None
        return np.random.default_rng((self.seed, *self.fixed_crop_ids[image_index].encode(), crop_index))

    def __getitem__(self, sample_index: SampleIndex) -> Batch:
        params = self.sample_params(sample_index)
        image, mask = self.split_data.crop_region(sample_index.image_index)
        crops = self._load_crops(params, image, partial(apply_color, params.augment_params))
        masks = None if mask is None else self._load_crops(params, mask)
        return self.split_data.make_sample(sample_index.image_index, crops, masks)

    def _load_crops(
        self,
        params: SampleParams,
        image: NDArray[np.uint8],
        color_transform: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda pixels: pixels,
    ) -> NDArray[np.uint8]:
        """Augment an image or its mask and return its crops, (n, h, w, ...).

        A single crop is taken before augmentation, so that fewer pixels are transformed.
        """
        if self.all_crops:
            return resized_crops(
                color_transform(apply_geometric(params.augment_params, image)),
                params.crop_boxes,
                self.crop_size,
            )
        return color_transform(
            crop_and_transform(params.augment_params, image, params.crop_boxes[0], self.crop_size)
        )[None]
