"""Decode many images in order, as fast as the cores allow; what cannot be decoded is told together."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.cores import cores
from lesionlens.data.problems import Problems
from lesionlens.data.stored import Decode, Index, Kind, kept_bytes
from lesionlens.errors import ImageError

_Prepared = tuple[tuple[int, int], bytes | memoryview] | ImageError  # shape and bytes
AHEAD = 64  # images: a large set never fills the memory


def decode_all(
    paths: Sequence[Path],
    decode: Decode,
    kind: Kind,
    *,
    write: Callable[[bytes | memoryview], object],
    done: Callable[[int], None],
) -> Index:
    """Decode images with as many threads as cores (decoders release Python's lock), and write each as it is kept.

    Parameters
    ----------
    paths, decode
        The files, and how each is read.
    kind
        How images are kept.
    write
        Takes the bytes of each image, in order.
    done
        Called with the number of images done.

    Raises
    ------
    DataError
        Images that cannot be decoded: counted, the first few named.
    """

    def prepared(path: Path) -> _Prepared:
        try:
            image: NDArray[np.uint8] = decode(path)
        except ImageError as error:
            return error
        return (image.shape[0], image.shape[1]), kept_bytes(kind, image)

    problems, index, end = Problems(), Index([], []), 0
    for number, found in enumerate(_in_order(prepared, paths)):
        if isinstance(found, ImageError):
            problems.error("unreadable images", [str(found)], do="Remove or replace them.")
        else:
            shape, content = found
            write(content)
            end += len(content) if isinstance(content, bytes) else content.nbytes
            index.shapes.append(shape)
            index.ends.append(end)
        done(number + 1)
    problems.raise_errors("these images")
    return index


def _in_order(prepared: Callable[[Path], _Prepared], paths: Sequence[Path]) -> Iterator[_Prepared]:
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(paths), AHEAD):
            yield from pool.map(prepared, paths[start : start + AHEAD])
