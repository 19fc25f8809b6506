"""The images of one part and what is known of each; batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.crops.box import CropBox
from lesionlens.data.fitted_mask import ImageSize
from lesionlens.data.mask_files import MaskImage
from lesionlens.data.masks import MaskStore
from lesionlens.data.stored import ImageCache


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
            sample_weight=torch.tensor(1.0 if self.sample_weights is None else float(self.sample_weights[index])),
            masks=torch.from_numpy(none if masks is None else masks),
            has_mask=torch.tensor(masks is not None),
        )
