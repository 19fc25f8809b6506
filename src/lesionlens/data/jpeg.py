"""Ordinary JPEGs from their bytes, by libjpeg-turbo alone: Pillow's pixels without its copies."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile


def decode_jpeg(image: ImageFile.ImageFile) -> NDArray[np.uint8] | None:
    """Decode the file of a colour or grey JPEG that Pillow has opened, (h, w, 3), at the scale that was drafted.

    None if it is no such file, or the decoder has anything to complain of: then Pillow shall decode and judge.
    """
    if not isinstance(image, JpegImageFile) or image.mode not in ("RGB", "L") or image.fp is None:
        return None
    width, height = image.size
    image.fp.seek(0)
    content = image.fp.read()
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, colorspace="RGB", min_height=height, min_width=width, strict=True
        )
    except (ValueError, RuntimeError):
        return None
    return pixels if pixels.shape == (height, width, 3) else None
