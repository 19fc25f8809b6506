"""From a file to the image that everything sees: store, prediction and maps alike."""

from importlib.metadata import version
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray

from lesionlens.data.colour import gray_world, shades_of_gray
from lesionlens.data.hair import without_hair
from lesionlens.data.images import read_rgb

Colour = Literal["none", "gray-world", "shades-of-gray"]
Hair = Literal["keep", "remove"]
PIXELS = 2  # to be raised by whoever changes the pixels that ``decode`` gives: stores are then made anew


def decode(
    path: Path, *, shorter_side: int | None, colour: Colour = "none", hair: Hair = "keep"
) -> NDArray[np.uint8]:
    """Read an image, (h, w, 3); then take hairs away, then the light's colour, as far as asked.

    Raises
    ------
    ImageError
        As ``read_rgb``.
    """
    image = read_rgb(path, shorter_side=shorter_side)
    if hair == "remove":
        image = without_hair(image)
    if colour == "none":
        return image
    return gray_world(image) if colour == "gray-world" else shades_of_gray(image)


def decoder() -> str:
    """Name all that decides the pixels but file and options: our own way, and the libraries' versions."""
    jpeg, torch = simplejpeg.__version__, version("torch")  # which resizes
    return (
        f"pixels {PIXELS} Pillow {PIL.__version__} simplejpeg {jpeg} OpenCV {cv2.__version__} torch {torch}"
    )
