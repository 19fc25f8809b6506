"""From the crops back to the image: what was found in each, on the image's own pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image

from lesionlens.imaging.boxes import CropBox


class StitchedMap(NamedTuple):
    """A map of the whole image, (h, w), 0 where no crop looked, and whether one did, (h, w)."""

    values: ndarray
    coverage: ndarray


def stitch(
    maps: Float[ndarray, "n grid_h grid_w"], boxes: Sequence[CropBox], *, height: int, width: int
) -> StitchedMap:
    """Put the maps of an image's crops where the crops were cut; where they overlap, average.

    Each map is brought to its box bilinearly, as the box was brought to the network's input.

    Parameters
    ----------
    maps
        Of the n crops.
    boxes
        Where each crop lies, in pixels of the image.
    height, width
        Of the image.

    Examples
    --------
    >>> halves = [CropBox(0, 0, 1, 2), CropBox(0, 1, 1, 2)]
    >>> found = stitch(np.array([[[1.0]], [[3.0]]]), halves, height=1, width=4)
    >>> found.values.tolist(), found.coverage.tolist()
    ([[1.0, 2.0, 3.0, 0.0]], [[True, True, True, False]])
    """
    total = np.zeros((height, width))
    times = np.zeros((height, width), dtype=np.int64)
    for values, box in zip(maps, boxes, strict=True):
        place = box.slices()
        grid = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        size = (round(box.width), round(box.height))
        total[place] += np.asarray(grid.resize(size, Image.Resampling.BILINEAR))
        times[place] += 1
    seen: Bool[ndarray, "h w"] = times > 0
    return StitchedMap(values=total / np.maximum(times, 1), coverage=seen)


def resize_boxes(
    boxes: Sequence[CropBox], *, old_size: tuple[int, int], new_size: tuple[int, int]
) -> list[CropBox]:
    """Say where boxes lie after their image was resized; what touched still touches.

    Parameters
    ----------
    boxes
        In pixels of the image before.
    old_size, new_size
        Height and width.

    Examples
    --------
    >>> boxes = [CropBox(0, 0, 450, 600), CropBox(0, 376, 224, 224)]
    >>> [box[:4] for box in resize_boxes(boxes, old_size=(450, 600), new_size=(225, 300))]
    [(0, 0, 225, 300), (0, 188, 112, 112)]
    """
    found = []
    for box in boxes:
        top, bottom = _scale_interval(box.top, box.height, new_size[0] / old_size[0], new_size[0])
        left, right = _scale_interval(box.left, box.width, new_size[1] / old_size[1], new_size[1])
        found.append(CropBox(top, left, bottom - top, right - left))
    return found


def _scale_interval(start: float, length: float, scale: float, limit: int) -> tuple[int, int]:
    """First pixel and the one after the last: at least one pixel, inside the image."""
    first = min(round(start * scale), limit - 1)
    return first, max(first + 1, min(round((start + length) * scale), limit))
