"""Cut a box from a picture and bring it to a size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.crops.box import Box


def resized_crop(picture: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a box from an image (h, w, 3) or a mask (h, w) and resize it to (height, width), antialiased bilinear.

    Pillow's resampling, which torchvision's antialiased resize reproduces; a mask becomes soft at its edges. The
    result is a copy of its own. Of a box in a frame, what lies beside it in the frame has its share, as if the frame
    were resized and then cut.
    """
    wanted, how = (size[1], size[0]), Image.Resampling.BILINEAR
    if box.frame is not None:
        top, left = box.top - box.frame.top, box.left - box.frame.left
        edges = (left, top, left + box.width, top + box.height)
        frame = Image.fromarray(np.ascontiguousarray(picture[box.frame.pixels()]))
        return np.array(frame.resize(wanted, how, box=edges))
    part = picture[box.pixels()]
    if part.shape[:2] == size:
        return np.array(part)
    return np.array(Image.fromarray(np.ascontiguousarray(part)).resize(wanted, how))
