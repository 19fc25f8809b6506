"""Resize pictures: antialiased bilinear, as Pillow's but for one grey level here and there, several times as fast."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.imaging.boxes import CropBox


def resize(
    image: NDArray[np.uint8], size: tuple[int, int], *, extent: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """Bring an image (h, w, 3) or a mask (h, w) to (height, width), as an array of its own.

    PyTorch's kernel for bytes: it releases Python's lock and, where the processor has AVX2, starts no threads.

    Parameters
    ----------
    extent
        Height and width of what counts, from the upper left corner, where that is up to one pixel less than the
        picture, parts of a pixel too, and both sides shrink. None: the picture.
    """
    import torch  # here, because reading headers and tables must not wait for it
    from torch.nn.functional import interpolate

    full_size = image.shape[:2]
    height, width = extent or full_size
    writable = np.require(image, requirements=["C", "W"])  # torch warns about read-only arrays
    channels = torch.from_numpy(writable).reshape(1, *full_size, -1).permute(0, 3, 1, 2)
    factors = (_scale_factor(full_size[0], height, size[0]), _scale_factor(full_size[1], width, size[1]))
    target = {"size": size} if full_size == (height, width) else {"scale_factor": factors}
    output = interpolate(channels, **target, mode="bilinear", antialias=True)
    resized: NDArray[np.uint8] = output.permute(0, 2, 3, 1).reshape(*size, *image.shape[2:]).numpy()
    return resized


def _scale_factor(length: int, extent: float, target: int) -> float:
    """Give what PyTorch multiplies a side by; it rounds the product down, which must not lose a pixel to 0.999…."""
    factor = target / extent
    return factor if int(length * factor) >= target else math.nextafter(factor, math.inf)


def resized_crop(image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a box from an image (h, w, 3) or a mask (h, w) and resize it to (height, width), antialiased bilinear.

    A mask becomes soft at its edges. The result is a copy of its own. Of a box in a frame, what lies beside it in the
    frame has its share, as if the frame were resized and then cut; this is Pillow's resampling, where a box may begin
    and end inside a pixel.
    """
    if box.parent is not None:
        top, left = box.top - box.parent.top, box.left - box.parent.left
        edges = (left, top, left + box.width, top + box.height)
        frame = Image.fromarray(np.ascontiguousarray(image[box.parent.slices()]))
        return np.array(frame.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=edges))
    part = image[box.slices()]
    return np.array(part) if part.shape[:2] == size else resize(part, size)


def resized_crops(
    image: NDArray[np.uint8], boxes: Sequence[CropBox], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut n boxes as ``resized_crop`` does: (n, height, width, 3) of an image, (n, height, width) of a mask."""
    crops = np.empty((len(boxes), *size, *image.shape[2:]), dtype=np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        crop[:] = resized_crop(image, box, size)
    return crops
