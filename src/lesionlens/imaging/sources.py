"""Images as a caller has them: a path, the content of a file, an image of Pillow, or an array."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.errors import ImageError
from lesionlens.imaging.decode import downsample, pillow_to_rgb, read_rgb

ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
InMemoryImage = bytes | Image.Image | NDArray[np.uint8]


def read_image(source: ImageSource, *, max_short_side: int | None = None) -> NDArray[np.uint8]:
    """Return an image as RGB, a contiguous uint8 array (h, w, 3): the same pixels whichever way it comes.

    Parameters
    ----------
    source
        Path or content of an image file; image of Pillow, in any of its modes; or RGB array (h, w, 3) of type uint8.
    max_short_side
        As for ``read_rgb``.

    Raises
    ------
    ImageError
        As for ``read_rgb``; or the array is not an RGB image of type uint8.
    """
    if isinstance(source, np.ndarray):
        return downsample(_checked_array(source), max_short_side)
    if isinstance(source, Image.Image):
        return downsample(pillow_to_rgb(source), max_short_side)
    return read_rgb(source if isinstance(source, bytes) else Path(source), max_short_side=max_short_side)


def _checked_array(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ImageError(
            f"The array has the shape {pixels.shape} and the type {pixels.dtype}. Pass RGB images of the shape "
            "(height, width, 3) and the type uint8, from 0 to 255; grayscale: PIL.Image.fromarray(array)"
        )
    return np.ascontiguousarray(pixels)


def as_image_list(images: object, argument: str) -> list[ImageSource]:
    """Return paths and images in memory as a list.

    Parameters
    ----------
    images
        Iterable of paths and images.
    argument
        Its name, for the message.

    Raises
    ------
    TypeError
        It is a single path or image, or something else; the message states what to pass.

    Examples
    --------
    >>> as_image_list(("a.jpg", "b.jpg"), "images")
    ['a.jpg', 'b.jpg']
    >>> as_image_list("a.jpg", "images")
    Traceback (most recent call last):
    ...
    TypeError: images is one path, 'a.jpg'; pass a list: ['a.jpg']
    """
    if isinstance(images, str | os.PathLike):
        raise TypeError(
            f"{argument} is one path, {os.fspath(images)!r}; pass a list: [{os.fspath(images)!r}]"
        )
    if is_image_source(images):
        raise TypeError(f"{argument} is {_describe(images)}; pass a list: [image]")
    if isinstance(images, dict) or not isinstance(images, Iterable):
        raise TypeError(f"{argument} is {_describe(images)}, not a list of images. {_ADVICE}")
    items = list(images)
    for item in items:
        if not is_image_source(item):
            raise TypeError(f"{argument} contains {_describe(item)}, which is not an image. {_ADVICE}")
    return items


_ADVICE = "Pass paths, bytes of image files, images of Pillow, or RGB arrays (height, width, 3) of type uint8"


def _describe(value: object) -> str:
    shape = getattr(value, "shape", None)
    return f"an object of type {type(value).__name__}" + (
        "" if shape is None else f" and shape {tuple(shape)}"
    )


def is_image_source(value: object) -> TypeGuard[ImageSource]:
    """Return whether a value is a path or an image in memory."""
    return isinstance(value, str | os.PathLike | bytes | Image.Image | np.ndarray)


def source_name(source: ImageSource) -> str:
    """Return the path of an image, or "in memory", for messages."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "in memory"


def content_digest(image: InMemoryImage) -> str:
    """Return a digest of an image in memory, which differs for images with other pixels."""
    if isinstance(image, bytes):
        content = image
    elif isinstance(image, np.ndarray):
        content = repr((image.shape, str(image.dtype))).encode() + np.ascontiguousarray(image).tobytes()
    else:
        try:
            content = repr((image.size, image.mode)).encode() + pillow_to_rgb(image).tobytes()
        except ImageError:  # reported when the image is read
            return "none"
    return hashlib.blake2b(content, digest_size=16).hexdigest()
