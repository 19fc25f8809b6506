"""Cut a box from a picture and bring it to a size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.crops.box import CropBox
from lesionlens.data.resize import resize


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
