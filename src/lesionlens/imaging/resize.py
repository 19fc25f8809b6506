"""Antialiased bilinear resizing by torch's kernel, or by Pillow, which is slower and equal up to single gray levels."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.optional_packages import missing_packages
from lesionlens.imaging.boxes import CropBox


def resize(
    image: NDArray[np.uint8], size: tuple[int, int], *, extent: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """Resize an image (h, w, 3) or a mask (h, w), and return a new array.

    PyTorch's uint8 kernel is used if torch is installed: it releases Python's lock and, on processors with AVX2, starts
    no threads.

    Parameters
    ----------
    image
        Image or mask, uint8.
    size
        Target height and width.
    extent
        Height and width of the area to resize, from the upper left corner: up to one pixel less than the image,
        possibly fractional, and only for downsampling both sides. Default: the complete image.
    """
    height, width = extent or image.shape[:2]
    if not resizes_with_torch():
        resample = Image.Resampling.BILINEAR
        return np.array(Image.fromarray(image).resize(size[::-1], resample, box=(0, 0, width, height)))
    import torch  # here, because reading headers and tables must not wait for it
    from torch.nn.functional import interpolate

    full_size = image.shape[:2]
    writable = np.require(image, requirements=["C", "W"])  # torch warns about read-only arrays
    channels = torch.from_numpy(writable).reshape(1, *full_size, -1).permute(0, 3, 1, 2)
    factors = (_scale_factor(full_size[0], height, size[0]), _scale_factor(full_size[1], width, size[1]))
    target = {"size": size} if full_size == (height, width) else {"scale_factor": factors}
    output = interpolate(channels, **target, mode="bilinear", antialias=True)
    resized: NDArray[np.uint8] = output.permute(0, 2, 3, 1).reshape(*size, *image.shape[2:]).numpy()
    return resized


@cache
def resizes_with_torch() -> bool:
    """Return whether torch resizes, because it is installed."""
    return not missing_packages("torch")


def _scale_factor(length: int, extent: float, target: int) -> float:
    """Return PyTorch's scale factor for a side, such that rounding the product down does not lose a pixel to 0.999…."""
    factor = target / extent
    return factor if int(length * factor) >= target else math.nextafter(factor, math.inf)


def resized_crop(image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Extract a box from an image (h, w, 3) or a mask (h, w), and resize it to (height, width) as a new array.

    Antialiasing makes the edges of a mask soft. A box with a parent is resampled as if the parent were resized and the
    box then cropped from it, so that pixels around the box contribute; this uses Pillow, which allows fractional boxes.
    """
    if box.parent is not None:
        top, left = box.top - box.parent.top, box.left - box.parent.left
        edges = (left, top, left + box.width, top + box.height)
        parent = Image.fromarray(np.ascontiguousarray(image[box.parent.slices()]))
        return np.array(parent.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=edges))
    crop = image[box.slices()]
    return np.array(crop) if crop.shape[:2] == size else resize(crop, size)


def resized_crops(
    image: NDArray[np.uint8], boxes: Sequence[CropBox], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Extract n boxes as ``resized_crop`` does: (n, height, width, 3) for an image, (n, height, width) for a mask."""
    crops = np.empty((len(boxes), *size, *image.shape[2:]), dtype=np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        crop[:] = resized_crop(image, box, size)
    return crops
