"""From the crops back to the image: what was found in each, on the image's own pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image

from lesionlens.crops.box import Box


class Stitched(NamedTuple):
    """A map of the whole image, (h, w), 0 where no crop looked, and whether one did, (h, w)."""

    values: ndarray
    seen: ndarray


def stitch(
    maps: Float[ndarray, "n grid_h grid_w"], boxes: Sequence[Box], *, height: int, width: int
) -> Stitched:
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
    >>> halves = [Box(0, 0, 1, 2), Box(0, 1, 1, 2)]
    >>> found = stitch(np.array([[[1.0]], [[3.0]]]), halves, height=1, width=4)
    >>> found.values.tolist(), found.seen.tolist()
    ([[1.0, 2.0, 3.0, 0.0]], [[True, True, True, False]])
    """
    total = np.zeros((height, width))
    times = np.zeros((height, width), dtype=np.int64)
    for values, box in zip(maps, boxes, strict=True):
        place = box.pixels()
        grid = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        size = (round(box.width), round(box.height))
        total[place] += np.asarray(grid.resize(size, Image.Resampling.BILINEAR))
        times[place] += 1
    seen: Bool[ndarray, "h w"] = times > 0
    return Stitched(values=total / np.maximum(times, 1), seen=seen)


def resized(boxes: Sequence[Box], *, before: tuple[int, int], after: tuple[int, int]) -> list[Box]:
    """Say where boxes lie after their image was resized; what touched still touches.

    Parameters
    ----------
    boxes
        In pixels of the image before.
    before, after
        Height and width.

    Examples
    --------
    >>> boxes = [Box(0, 0, 450, 600), Box(0, 376, 224, 224)]
    >>> [box[:4] for box in resized(boxes, before=(450, 600), after=(225, 300))]
    [(0, 0, 225, 300), (0, 188, 112, 112)]
    """
    found = []
    for box in boxes:
        top, bottom = _ends(box.top, box.height, after[0] / before[0], after[0])
        left, right = _ends(box.left, box.width, after[1] / before[1], after[1])
        found.append(Box(top, left, bottom - top, right - left))
    return found


def _ends(start: float, length: float, scale: float, limit: int) -> tuple[int, int]:
    """First pixel and the one after the last: at least one pixel, inside the image."""
    first = min(round(start * scale), limit - 1)
    return first, max(first + 1, min(round((start + length) * scale), limit))
