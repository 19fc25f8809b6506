"""Images and their masks as one array at the network's size, so that whatever moves one moves the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lesionlens.core.errors import DataError
from lesionlens.core.prefetch import prefetch
from lesionlens.core.types import ProgressCallback
from lesionlens.data.augmentation import Augmentation
from lesionlens.data.transforms import AugmentParams, apply_color, apply_geometric
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.imaging.masks import read_mask
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.samples import SegmentationSample

ImageAndMask = NDArray[np.uint8]


class SegmentationBatch(NamedTuple):
    """Images uint8 (b, h, w, 3) and whether each pixel is lesion (b, h, w)."""

    images: Tensor
    masks: Tensor


def decode_to_memmap(
    samples: Sequence[SegmentationSample],
    preprocessing: Preprocessing,
    path: Path,
    *,
    on_progress: ProgressCallback,
) -> tuple[dict[str, ImageAndMask], tuple[ExcludedImage, ...]]:
    """Decode images and masks into a new memory-mapped file.

    Returns
    -------
    Pixels (h, w, 4) by image id, red, green, blue and the mask of 0 and 255; and what cannot be used.
    """
    shape = (len(samples), *preprocessing.input_size, 4)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    pixels: dict[str, ImageAndMask] = {}
    left_out: list[ExcludedImage] = []
    for place, (case, found) in enumerate(zip(samples, _iter_decoded(samples, preprocessing), strict=True)):
        if isinstance(found, DataError):
            left_out.append(ExcludedImage(case.image_id, "", str(found)))
        else:
            stored[place] = found
            pixels[case.image_id] = stored[place]
        on_progress(place + 1, len(samples))
    return pixels, tuple(left_out)


def _iter_decoded(
    samples: Sequence[SegmentationSample], preprocessing: Preprocessing
) -> Iterator[ImageAndMask | DataError]:
    def one(case: SegmentationSample) -> ImageAndMask | DataError:
        try:
            return _load_image_and_mask(case, preprocessing)
        except DataError as error:
            return error

    return prefetch(one, samples)


def _load_image_and_mask(sample: SegmentationSample, preprocessing: Preprocessing) -> ImageAndMask:
    image = preprocessing.load_image(sample.path)
    mask = read_mask(sample.mask_path, size=(image.shape[0], image.shape[1]))
    if not mask.any():
        raise DataError("the mask is empty: it marks no pixel as lesion")
    white = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
    return np.dstack([preprocessing.extract_crops(image)[0], preprocessing.extract_crops(white)[0][..., :1]])


def augment_image_and_mask(params: AugmentParams, pixels: ImageAndMask) -> ImageAndMask:
    """Move image and mask together, (h, w, 4); then change the colours of the image alone."""
    moved = apply_geometric(params, pixels)
    return np.dstack([apply_color(params, np.ascontiguousarray(moved[..., :3])), moved[..., 3]])


@dataclass(frozen=True)
class SegmentationDataset(Dataset[SegmentationBatch]):
    """The images of a part in order; what is drawn depends on seed, epoch and position alone, not on the worker.

    Attributes
    ----------
    augment
        None: the images as they are.
    """

    pixels: Sequence[ImageAndMask]
    augment: Augmentation | None = None
    seed: int = 0
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> SegmentationBatch:
        pixels = self.pixels[index]
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, self.epoch, index))
            pixels = augment_image_and_mask(self.augment.make_params(rng), pixels)
        return SegmentationBatch(
            torch.from_numpy(pixels[..., :3].copy()), torch.from_numpy(pixels[..., 3] > 127)
        )
