"""Combine maps of crops into a map of the image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image

from lesionlens.imaging.boxes import CropBox


class StitchedMap(NamedTuple):
    """Map of an image, (h, w), 0 outside all crops, and a mask of the pixels inside a crop, (h, w)."""

    values: ndarray
    coverage: ndarray


def stitch(
    maps: Float[ndarray, "n grid_h grid_w"], boxes: Sequence[CropBox], *, height: int, width: int
) -> StitchedMap:
    """Combine the maps of the crops of an image, averaging where crops overlap.

    Each map is resized to its box with bilinear interpolation.

    Parameters
    ----------
    maps
        Maps of the n crops.
    boxes
        Box of each crop, in pixels of the image.
    height, width
        Size of the image in pixels.

    Examples
    --------
    >>> halves = [CropBox(0, 0, 1, 2), CropBox(0, 1, 1, 2)]
    >>> stitched = stitch(np.array([[[1.0]], [[3.0]]]), halves, height=1, width=4)
    >>> stitched.values.tolist(), stitched.coverage.tolist()
    ([[1.0, 2.0, 3.0, 0.0]], [[True, True, True, False]])
    """
    total = np.zeros((height, width))
    count = np.zeros((height, width), dtype=np.int64)
    for values, box in zip(maps, boxes, strict=True):
        image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        size = (round(box.width), round(box.height))
        total[box.slices()] += np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        count[box.slices()] += 1
    coverage: Bool[ndarray, "h w"] = count > 0
    return StitchedMap(values=total / np.maximum(count, 1), coverage=coverage)


def resize_boxes(
    boxes: Sequence[CropBox], *, old_size: tuple[int, int], new_size: tuple[int, int]
) -> list[CropBox]:
    """Scale boxes from one size of their image to another; adjacent boxes stay adjacent.

    Parameters
    ----------
    boxes
        Boxes in pixels of the original image.
    old_size, new_size
        Height and width of the original and the resized image.

    Examples
    --------
    >>> boxes = [CropBox(0, 0, 450, 600), CropBox(0, 376, 224, 224)]
    >>> [box[:4] for box in resize_boxes(boxes, old_size=(450, 600), new_size=(225, 300))]
    [(0, 0, 225, 300), (0, 188, 112, 112)]
    """
    scaled = []
    for box in boxes:
        top, bottom = _scale_interval(box.top, box.height, new_size[0] / old_size[0], new_size[0])
        left, right = _scale_interval(box.left, box.width, new_size[1] / old_size[1], new_size[1])
        scaled.append(CropBox(top, left, bottom - top, right - left))
    return scaled


def _scale_interval(start: float, length: float, scale: float, limit: int) -> tuple[int, int]:
    """Return the first pixel and the one after the last: at least one pixel, inside the image."""
    first = min(round(start * scale), limit - 1)
    return first, max(first + 1, min(round((start + length) * scale), limit))
