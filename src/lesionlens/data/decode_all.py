"""Decode many images in order, as fast as the cores allow; what cannot be decoded is told together."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.cores import available_cpus
from lesionlens.data.problems import IssueCollector
from lesionlens.data.stored import ImageDecoder, CacheIndex, CacheFormat, encode_for_cache
from lesionlens.errors import ImageError

_EncodedImage = tuple[tuple[int, int], bytes | memoryview] | ImageError  # shape and bytes
_PREFETCH_FACTOR = 64  # images: a large set never fills the memory


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
    for number, found in enumerate(_map_in_order(prepared, paths)):
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


def _map_in_order(encode: Callable[[Path], _EncodedImage], paths: Sequence[Path]) -> Iterator[_EncodedImage]:
    with ThreadPoolExecutor(available_cpus()) as pool:
        for start in range(0, len(paths), _PREFETCH_FACTOR):
            yield from pool.map(encode, paths[start : start + _PREFETCH_FACTOR])
