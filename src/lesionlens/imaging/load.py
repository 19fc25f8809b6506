"""Load an image as the image cache, inference and explanation use it."""

from importlib.metadata import version
from typing import Literal

import cv2
import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray

from lesionlens.imaging.color_constancy import gray_world, shades_of_gray
from lesionlens.imaging.hair_removal import remove_hair
from lesionlens.imaging.resize import resizes_with_torch
from lesionlens.imaging.sources import ImageSource, read_image

ColorConstancy = Literal["none", "gray-world", "shades-of-gray"]
# Increment it with every change of the pixels that ``load_image`` returns: caches are then rebuilt.
DECODER_VERSION = 3


def load_image(
    source: ImageSource,
    *,
    max_short_side: int | None,
    color_constancy: ColorConstancy = "none",
    hair_removal: bool = False,
) -> NDArray[np.uint8]:
    """Read an RGB image, (h, w, 3), then remove hairs and apply color constancy if requested.

    Parameters
    ----------
    source
        Image file, or an image in memory, as for ``read_image``.
    max_short_side
        Maximum length of the shorter side in pixels; None: the full size.
    color_constancy
        Color constancy method.
    hair_removal
        Whether to remove dark hairs.

    Raises
    ------
    ImageError
        As for ``read_image``.
    """
    image = read_image(source, max_short_side=max_short_side)
    if hair_removal:
        image = remove_hair(image)
    if color_constancy == "none":
        return image
    return gray_world(image) if color_constancy == "gray-world" else shades_of_gray(image)


def decoder_version() -> str:
    """Return a key for everything but file and options that determines the pixels: code and library versions."""
    resizer = f" torch {version('torch')}" if resizes_with_torch() else ""
    jpeg = f"simplejpeg {simplejpeg.__version__}"
    return f"pixels {DECODER_VERSION} Pillow {PIL.__version__} {jpeg} OpenCV {cv2.__version__}{resizer}"
