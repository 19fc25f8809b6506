"""Decoded images by position, however they are kept: as bytes, as JPEGs, or not at all."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from lesionlens.core.errors import ImageError
from lesionlens.core.fileio import write_text
from lesionlens.core.prefetch import prefetch
from lesionlens.datasets.issues import IssueCollector

CacheFormat = Literal["memmap", "jpeg", "none"]
ImageDecoder = Callable[[Path], NDArray[np.uint8]]
CACHE_JPEG_QUALITY = 95


class ImageCache(Protocol):
    """Decoded images by position.

    Attributes
    ----------
    cache_format
        How they are kept.
    """

    cache_format: CacheFormat

    def __len__(self) -> int:
        """Count the images."""
        ...

    def shape(self, index: int) -> tuple[int, int]:
        """Give an image's height and width."""
        ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Give an image, (h, w, 3); it may be a view that cannot be written."""
        ...


class CacheIndex(NamedTuple):
    """Where each image lies in a store's file.

    Attributes
    ----------
    shapes
        Height and width of each image, in order.
    offsets
        The byte after the last of each image; 0 where nothing is kept.
    """

    shapes: list[tuple[int, int]]
    offsets: list[int]

    def write(self, file: Path) -> None:
        """Write it atomically."""
        write_text(file, json.dumps(self._asdict()))

    @staticmethod
    def read(file: Path) -> "CacheIndex":
        """Read what ``write`` wrote."""
        found = json.loads(file.read_text(encoding="utf-8"))
        return CacheIndex([(height, width) for height, width in found["shapes"]], found["offsets"])


class _IndexedCache:
    def __init__(self, index: CacheIndex) -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index.shapes)

    def shape(self, index: int) -> tuple[int, int]:
        return self._index.shapes[index]


class _SingleFileCache(_IndexedCache):
    def __init__(self, index: CacheIndex, file: Path) -> None:
        super().__init__(index)
        self._file = file
        self._bytes: NDArray[np.uint8] = np.memmap(file, dtype=np.uint8, mode="r")

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the file anew in another process; NumPy would send all that is in it."""
        return type(self), (self._index, self._file)

    def _image_bytes(self, index: int) -> NDArray[np.uint8]:
        start = self._index.offsets[index - 1] if index else 0
        return self._bytes[start : self._index.offsets[index]]


class MemmapCache(_SingleFileCache):
    """Images as they are, each a view into the file."""

    cache_format: CacheFormat = "memmap"

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._image_bytes(index).reshape(*self.shape(index), 3)


class JpegCache(_SingleFileCache):
    """Images as JPEGs of little loss, in about a tenth of the room; decoded at each visit."""

    cache_format: CacheFormat = "jpeg"

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return np.asarray(simplejpeg.decode_jpeg(self._image_bytes(index), colorspace="RGB"), dtype=np.uint8)


class NoCache(_IndexedCache):
    """Nothing is kept but the shapes: the files are decoded at each visit."""

    cache_format: CacheFormat = "none"

    def __init__(self, index: CacheIndex, paths: Sequence[Path], decode: ImageDecoder) -> None:
        super().__init__(index)
        self._paths, self._decode = paths, decode

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._decode(self._paths[index])


def encode_for_cache(cache_format: CacheFormat, image: NDArray[np.uint8]) -> bytes | memoryview:
    """Give what a store of this kind keeps of an image, (h, w, 3)."""
    if cache_format == "memmap":
        return image.data
    if cache_format == "none":
        return b""
    encoded: bytes = simplejpeg.encode_jpeg(
        image, CACHE_JPEG_QUALITY, colorspace="RGB", colorsubsampling="444"
    )
    return encoded


_EncodedImage = tuple[tuple[int, int], bytes | memoryview] | ImageError  # shape and bytes


def decode_images(
    paths: Sequence[Path],
    decode: ImageDecoder,
    cache_format: CacheFormat,
    *,
    write: Callable[[bytes | memoryview], object],
    on_progress: Callable[[int], None],
) -> CacheIndex:
    """Decode images with as many threads as cores (decoders release Python's lock), and write each as it is kept.

    Parameters
    ----------
    paths, decode
        The files, and how each is read.
    cache_format
        How images are kept.
    write
        Takes the bytes of each image, in order.
    on_progress
        Called with the number of images done.

    Raises
    ------
    DataError
        Images that cannot be decoded: counted, the first few named.
    """

    def prepared(path: Path) -> _EncodedImage:
        try:
            image: NDArray[np.uint8] = decode(path)
        except ImageError as error:
            return error
        return (image.shape[0], image.shape[1]), encode_for_cache(cache_format, image)

    problems, index, end = IssueCollector(), CacheIndex([], []), 0
    for number, found in enumerate(prefetch(prepared, paths)):
        if isinstance(found, ImageError):
            problems.add_error("unreadable images", [str(found)], hint="Remove or replace them.")
        else:
            shape, content = found
            write(content)
            end += len(content) if isinstance(content, bytes) else content.nbytes
            index.shapes.append(shape)
            index.offsets.append(end)
        on_progress(number + 1)
    problems.raise_errors("these images")
    return index
