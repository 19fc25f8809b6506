"""Cut a box from a picture and bring it to a size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.crops.box import Box
from lesionlens.data.resize import resize


def resized_crop(picture: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a box from an image (h, w, 3) or a mask (h, w) and resize it to (height, width), antialiased bilinear.

    A mask becomes soft at its edges. The result is a copy of its own. Of a box in a frame, what lies beside it in the
    frame has its share, as if the frame were resized and then cut; this is Pillow's resampling, where a box may begin
    and end inside a pixel.
    """
    if box.frame is not None:
        top, left = box.top - box.frame.top, box.left - box.frame.left
        edges = (left, top, left + box.width, top + box.height)
        frame = Image.fromarray(np.ascontiguousarray(picture[box.frame.pixels()]))
        return np.array(frame.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=edges))
    part = picture[box.pixels()]
    return np.array(part) if part.shape[:2] == size else resize(part, size)


def resized_crops(
    picture: NDArray[np.uint8], boxes: Sequence[Box], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut n boxes as ``resized_crop`` does: (n, height, width, 3) of an image, (n, height, width) of a mask."""
    crops = np.empty((len(boxes), *size, *picture.shape[2:]), dtype=np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        crop[:] = resized_crop(picture, box, size)
    return crops
