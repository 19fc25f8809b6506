"""Combine maps of crops into a map of the image."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image

from lesionlens.imaging.boxes import CropBox


class StitchedMap(NamedTuple):
    """Map of an image, (h, w), 0 outside all crops, and a mask of the pixels inside a crop, (h, w)."""

    values: ndarray
    coverage: ndarray


class CellAxis(NamedTuple):
    """Centers of the cells of a map along one axis, start + step · i, as fractions of the length of the crop."""

    start: float
    step: float


class CellGrid(NamedTuple):
    """Centers of the cells of a map, vertically and horizontally."""

    y: CellAxis
    x: CellAxis


def resize_map(
    values: Float[ndarray, "grid_h grid_w"], size: tuple[int, int], grid: CellGrid | None = None
) -> Float[ndarray, "h w"]:
    """Resize a map to its crop, (height, width), with bilinear interpolation between the centers of its cells.

    Parameters
    ----------
    grid
        Centers of the cells; default: an even grid over the crop. Pixels beyond the outer centers have the value of
        the nearest cell.

    Examples
    --------
    >>> row = np.array([[0.0, 1.0]])
    >>> resize_map(row, (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    >>> resize_map(row, (1, 4), CellGrid(CellAxis(0.5, 1), CellAxis(0.125, 0.5))).tolist()
    [[0.0, 0.5, 1.0, 1.0]]
    """
    source = np.ascontiguousarray(values, dtype=np.float32)
    if grid is None:
        return np.asarray(Image.fromarray(source).resize(size[::-1], Image.Resampling.BILINEAR))
    rows, columns = (_cells(axis, length) for axis, length in zip(grid, size, strict=True))
    shape = (len(rows), len(columns))
    return cv2.remap(
        source, np.broadcast_to(columns, shape).copy(), np.broadcast_to(rows[:, None], shape).copy(),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def cell_weights(axis: CellAxis, num_cells: int, num_pixels: int) -> Float[ndarray, "num_cells num_pixels"]:
    """Return the weight of each pixel in the average over each cell: the covered part of the pixel.

    A cell extends by half a step to both sides of its center; outside the image it has no pixels. A cell completely
    outside has the weights of the nearest pixel.

    Examples
    --------
    >>> cell_weights(CellAxis(0.25, 0.5), 2, 4).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    >>> cell_weights(CellAxis(0.125, 0.5), 2, 4).round(2).tolist()
    [[0.67, 0.33, 0.0, 0.0], [0.0, 0.25, 0.5, 0.25]]
    """
    centers = (axis.start + np.arange(num_cells) * axis.step) * num_pixels
    half, pixels = axis.step * num_pixels / 2, np.arange(num_pixels)
    low, high = (centers + side * half for side in (-1, 1))
    low, high = np.minimum(low, num_pixels - 1), np.maximum(high, 1)
    covered = np.minimum(pixels + 1, high[:, None]) - np.maximum(pixels, low[:, None])
    covered = np.maximum(covered, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True))


def _cells(axis: CellAxis, length: int) -> Float[ndarray, " length"]:
    """Return the position of each pixel between the cells, 0 at the center of the first."""
    return (((np.arange(length) + 0.5) / length - axis.start) / axis.step).astype(np.float32)


def stitch(
    maps: Float[ndarray, "n grid_h grid_w"],
    boxes: Sequence[CropBox],
    *,
    height: int,
    width: int,
    grid: CellGrid | None = None,
) -> StitchedMap:
    """Combine the maps of the crops of an image, averaging where crops overlap.

    Each map is resized to its box, see `resize_map`.

    Parameters
    ----------
    maps
        Maps of the n crops.
    boxes
        Box of each crop, in pixels of the image.
    height, width
        Size of the image in pixels.
    grid
        Centers of the cells of the maps; default: an even grid.

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
        total[box.slices()] += resize_map(values, (round(box.height), round(box.width)), grid)
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
