"""From a file to the image that everything sees: store, prediction and maps alike."""

from importlib.metadata import version
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray

from lesionlens.imaging.color_constancy import gray_world, shades_of_gray
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.hair_removal import remove_hair

ColorConstancy = Literal["none", "gray-world", "shades-of-gray"]
# to be raised by whoever changes the pixels that ``load_image`` gives: caches are then made anew
DECODER_VERSION = 2


def load_image(
    path: Path,
    *,
    max_short_side: int | None,
    color_constancy: ColorConstancy = "none",
    hair_removal: bool = False,
) -> NDArray[np.uint8]:
    """Read an image, (h, w, 3); then take hairs away, then the light's colour, as far as asked.

    Raises
    ------
    ImageError
        As ``read_rgb``.
    """
    image = read_rgb(path, max_short_side=max_short_side)
    if hair_removal:
        image = remove_hair(image)
    if color_constancy == "none":
        return image
    return gray_world(image) if color_constancy == "gray-world" else shades_of_gray(image)


def decoder_version() -> str:
    """Name all that decides the pixels but file and options: our own way, and the libraries' versions."""
    jpeg, torch = simplejpeg.__version__, version("torch")  # which resizes
    return f"pixels {DECODER_VERSION} Pillow {PIL.__version__} simplejpeg {jpeg} OpenCV {cv2.__version__} torch {torch}"
