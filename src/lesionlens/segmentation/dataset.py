"""Images and masks in one array at the input size, so that geometric augmentation is the same for both."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lesionlens.core.errors import DataError
from lesionlens.core.fileio import default_cache_dir, write_error
from lesionlens.core.prefetch import prefetch
from lesionlens.core.types import ProgressCallback
from lesionlens.data.augmentation import Augmentation
from lesionlens.data.sampler import SampleIndex
from lesionlens.data.transforms import AugmentParams, apply_color, apply_geometric
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.imaging.masks import read_mask
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.samples import SegmentationSample

ImageAndMask = NDArray[np.uint8]


class SegmentationBatch(NamedTuple):
    """Images, uint8 (b, h, w, 3), and lesion masks, bool (b, h, w)."""

    images: Tensor
    masks: Tensor


def decode_to_memmap(
    samples: Sequence[SegmentationSample],
    preprocessing: Preprocessing,
    file: IO[bytes],
    *,
    on_progress: ProgressCallback,
) -> tuple[dict[str, ImageAndMask], tuple[ExcludedImage, ...]]:
    """Decode images and masks into a memory-mapped file.

    Parameters
    ----------
    file
        File to overwrite, open for reading and writing.

    Returns
    -------
    Pixels (h, w, 4) by image id (red, green, blue, and the mask as 0 or 255), and the excluded images with reasons.
    """
    shape = (len(samples), *preprocessing.input_size, 4)
    _allocate(file, math.prod(shape))
    memmap = np.memmap(file, np.uint8, "w+", shape=shape)
    pixels: dict[str, ImageAndMask] = {}
    excluded: list[ExcludedImage] = []
    decoded = _iter_decoded(samples, preprocessing)
    for index, (sample, result) in enumerate(zip(samples, decoded, strict=True)):
        if isinstance(result, DataError):
            excluded.append(ExcludedImage(sample.image_id, "", str(result)))
        else:
            memmap[index] = result
            pixels[sample.image_id] = memmap[index]
        on_progress(index + 1, len(samples))
    return pixels, tuple(excluded)


def _allocate(file: IO[bytes], size: int) -> None:
    """Reserve the space of a file: on a full disk, writing to a map of it would end the process.

    Raises
    ------
    WriteError
        There is not enough space.
    """
    if not hasattr(os, "posix_fallocate") or not size:
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise write_error(default_cache_dir(), error) from error


def _iter_decoded(
    samples: Sequence[SegmentationSample], preprocessing: Preprocessing
) -> Iterator[ImageAndMask | DataError]:
    def decode(sample: SegmentationSample) -> ImageAndMask | DataError:
        try:
            return _load_image_and_mask(sample, preprocessing)
        except DataError as error:
            return error

    return prefetch(decode, samples)


def _load_image_and_mask(sample: SegmentationSample, preprocessing: Preprocessing) -> ImageAndMask:
    image = preprocessing.load_image(sample.path)
    mask = read_mask(sample.mask_path, size=(image.shape[0], image.shape[1]))
    if not mask.any():
        raise DataError("the mask is empty: it has no lesion pixel")
    mask_image = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
    return np.dstack(
        [preprocessing.extract_crops(image)[0], preprocessing.extract_crops(mask_image)[0][..., :1]]
    )


def augment_image_and_mask(params: AugmentParams, pixels: ImageAndMask) -> ImageAndMask:
    """Apply geometric augmentation to image and mask (h, w, 4), then color augmentation to the image only."""
    transformed = apply_geometric(params, pixels)
    image, mask = np.ascontiguousarray(transformed[..., :3]), transformed[..., 3]
    return np.dstack([apply_color(params, image), mask])


@dataclass(frozen=True)
class SegmentationDataset(Dataset[SegmentationBatch]):
    """Images and masks of a split, in order."""

    pixels: Sequence[ImageAndMask]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> SegmentationBatch:
        return _to_sample(self.pixels[index])


@dataclass(frozen=True)
class AugmentedSegmentationDataset(Dataset[SegmentationBatch]):
    """Images and masks of the training split, augmented by a deterministic function of seed, epoch and position."""

    pixels: Sequence[ImageAndMask]
    augmentation: Augmentation
    seed: int

    def __getitem__(self, sample_index: SampleIndex) -> SegmentationBatch:
        rng = np.random.default_rng((self.seed, sample_index.epoch, sample_index.position))
        params = self.augmentation.make_params(rng)
        return _to_sample(augment_image_and_mask(params, self.pixels[sample_index.image_index]))


def _to_sample(pixels: ImageAndMask) -> SegmentationBatch:
    return SegmentationBatch(torch.from_numpy(pixels[..., :3].copy()), torch.from_numpy(pixels[..., 3] > 127))
