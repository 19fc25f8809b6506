"""Formats of the image cache: raw bytes in a memory map, JPEGs, or no cached pixels at all."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from lesionlens.core.errors import DamagedFileError, ImageError
from lesionlens.core.fileio import write_text
from lesionlens.core.prefetch import prefetch
from lesionlens.datasets.issues import IssueCollector

CacheFormat = Literal["memmap", "jpeg", "none"]
ImageDecoder = Callable[[Path], NDArray[np.uint8]]
CACHE_JPEG_QUALITY = 95


class ImageCache(Protocol):
    """Decoded images by index.

    Attributes
    ----------
    cache_format
        Format in which the images are stored.
    """

    cache_format: CacheFormat

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def shape(self, index: int) -> tuple[int, int]:
        """Return the height and width of an image."""
        ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return an image, (h, w, 3); the array may be read-only."""
        ...


class CacheIndex(NamedTuple):
    """Location of each image in a cache file.

    Attributes
    ----------
    shapes
        Height and width of each image, in order.
    offsets
        End of each image's bytes in the file; all 0 if no pixels are stored.
    """

    shapes: list[tuple[int, int]]
    offsets: list[int]

    def write(self, file: Path) -> None:
        """Write the index atomically, with a checksum."""
        content = json.dumps(self._asdict())
        write_text(file, json.dumps({"index": content, "checksum": _checksum(content)}))

    @staticmethod
    def read(file: Path) -> "CacheIndex | None":
        """Read an index that ``write`` wrote; None if it is damaged."""
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["checksum"] != _checksum(record["index"]):
                return None
            index = json.loads(record["index"])
            return CacheIndex([(height, width) for height, width in index["shapes"]], index["offsets"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
        """Pickle only the path and reopen the file in the other process; NumPy would copy all its bytes."""
        return type(self), (self._index, self._file)

    def _image_bytes(self, index: int) -> NDArray[np.uint8]:
        start = self._index.offsets[index - 1] if index else 0
        return self._bytes[start : self._index.offsets[index]]


class MemmapCache(_SingleFileCache):
    """Uncompressed images in a memory-mapped file; each image is a view into it."""

    cache_format: CacheFormat = "memmap"

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._image_bytes(index).reshape(*self.shape(index), 3)


class JpegCache(_SingleFileCache):
    """Images as JPEGs of quality 95, in about a tenth of the space; decoded at every access."""

    cache_format: CacheFormat = "jpeg"

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        try:
            image = simplejpeg.decode_jpeg(self._image_bytes(index), colorspace="RGB")
        except ValueError as error:
            raise DamagedFileError(
                self._file, error, "delete it; the next run decodes the images again"
            ) from error
        return np.asarray(image, dtype=np.uint8)


class NoCache(_IndexedCache):
    """Only the shapes are stored; the image files are decoded at every access."""

    cache_format: CacheFormat = "none"

    def __init__(self, index: CacheIndex, paths: Sequence[Path], decode: ImageDecoder) -> None:
        super().__init__(index)
        self._paths, self._decode = paths, decode

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._decode(self._paths[index])


def encode_for_cache(cache_format: CacheFormat, image: NDArray[np.uint8]) -> bytes | memoryview:
    """Return the bytes that a cache of this format stores for an image, (h, w, 3)."""
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
    """Decode images in threads, encode each for the cache and write them in order.

    Parameters
    ----------
    paths
        Image files.
    decode
        Function that decodes one file to RGB, (h, w, 3).
    cache_format
        Format in which images are stored.
    write
        Called with the bytes of each image, in order.
    on_progress
        Called with the number of finished images.

    Raises
    ------
    DataError
        Some images cannot be decoded; the message has their number and the first few names.
    """

    def encode(path: Path) -> _EncodedImage:
        try:
            image: NDArray[np.uint8] = decode(path)
        except ImageError as error:
            return error
        return (image.shape[0], image.shape[1]), encode_for_cache(cache_format, image)

    issues, index, end = IssueCollector(), CacheIndex([], []), 0
    for number, encoded in enumerate(prefetch(encode, paths)):
        if isinstance(encoded, ImageError):
            issues.add_error("unreadable images", [str(encoded)], hint="Remove or replace them.")
        else:
            shape, content = encoded
            write(content)
            end += len(content) if isinstance(content, bytes) else content.nbytes
            index.shapes.append(shape)
            index.offsets.append(end)
        on_progress(number + 1)
    issues.raise_errors("these images")
    return index
