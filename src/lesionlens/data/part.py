"""The images of one part and what is known of each; batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.crops.box import Box
from lesionlens.data.fitted_mask import Shape
from lesionlens.data.mask_files import Mask
from lesionlens.data.masks import Masks
from lesionlens.data.stored import ImageStore


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

    def shape(self, index: int) -> Shape:
        """Give height and width of what is seen of an image."""
        region = self.region(index)
        if region is None:
            return self.store.shape(int(self.places[index]))
        return round(region.height), round(region.width)

    def seen(self, index: int) -> tuple[NDArray[np.uint8], Mask | None]:
        """Give what is seen of an image (its region) and of its mask."""
        region = self.region(index)
        place = (slice(None), slice(None)) if region is None else region.pixels()
        mask = None if self.masks is None else self.masks[index]
        return self.image(index)[place], None if mask is None else mask[place]

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
