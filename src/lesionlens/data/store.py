"""Decode once: every image of a table as uint8 in one file, read by memory map.

The file's name is a digest of what is in it (paths, sizes, times of change, how they are decoded), so that a changed
image makes a new store and an unchanged set is opened at once.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.atomic import replacing
from lesionlens.data.decoding import Colour, Hair, decode
from lesionlens.data.problems import Problems
from lesionlens.errors import ImageError

Progress = Callable[[int, int], None]
FORMAT = 2


def default_folder() -> Path:
    """Where stores are kept: LESIONLENS_CACHE, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESIONLENS_CACHE") or Path(base) / "lesionlens")


class ImageStore:
    """Decoded images by position; a view into the file, never a copy.

    Parameters
    ----------
    file
        What ``open_store`` wrote.
    shapes
        Height and width of each image, in order.
    """

    def __init__(self, file: Path, shapes: Sequence[tuple[int, int]]) -> None:
        self._shapes = [(height, width, 3) for height, width in shapes]
        sizes = [height * width * 3 for height, width in shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._bytes: NDArray[np.uint8] = np.memmap(file, dtype=np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, index: int) -> tuple[int, int]:
        """Give an image's height and width."""
        height, width, _ = self._shapes[index]
        return height, width

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        part = self._bytes[self._starts[index] : self._starts[index + 1]]
        return part.reshape(self._shapes[index])


def open_store(
    paths: Sequence[Path],
    *,
    shorter_side: int | None,
    colour: Colour = "none",
    hair: Hair = "keep",
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ImageStore:
    """Open the store of these images, decoding them first if there is none yet.

    Parameters
    ----------
    paths
        Image files, in the order in which they will be asked for.
    shorter_side, colour, hair
        As in ``decode``.
    folder
        Where stores lie; default ``default_folder()``.
    progress
        Called with images done and images in all.

    Raises
    ------
    DataError
        Images that cannot be decoded: counted, the first few named.
    RunError
        No space or no permission in the folder.
    """
    how = f"{FORMAT} {shorter_side} {colour} {hair}"
    file = (folder or default_folder()) / f"images-{_digest(paths, how)}.u8"
    index = file.with_suffix(".json")
    if not (file.is_file() and index.is_file()):
        read = partial(decode, shorter_side=shorter_side, colour=colour, hair=hair)
        _build(paths, file, index, read=read, progress=progress)
    return ImageStore(file, json.loads(index.read_text()))


def _digest(paths: Sequence[Path], how: str) -> str:
    digest = hashlib.sha256(how.encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def _build(
    paths: Sequence[Path],
    file: Path,
    index: Path,
    *,
    read: Callable[[Path], NDArray[np.uint8]],
    progress: Progress | None,
) -> None:
    """Decode with as many threads as cores: Pillow and OpenCV release Python's lock."""
    problems = Problems()
    shapes: list[tuple[int, int]] = []

    def decoded(path: Path) -> NDArray[np.uint8] | ImageError:
        try:
            return read(path)
        except ImageError as error:
            return error

    with replacing(file) as part, part.open("wb") as stream, ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, image in enumerate(_in_order(pool, decoded, paths)):
            if isinstance(image, ImageError):
                problems.error("unreadable images", [str(image)], do="Remove or replace them.")
            else:
                stream.write(image.data)
                shapes.append((image.shape[0], image.shape[1]))
            if progress is not None:
                progress(number + 1, len(paths))
        problems.raise_errors("these images")
    with replacing(index) as part:
        part.write_text(json.dumps(shapes))


def _in_order(
    pool: ThreadPoolExecutor,
    decoded: Callable[[Path], NDArray[np.uint8] | ImageError],
    paths: Sequence[Path],
    ahead: int = 64,
) -> Iterator[NDArray[np.uint8] | ImageError]:
    """Decode a bounded number of images ahead, so that a large set never fills the memory."""
    for start in range(0, len(paths), ahead):
        yield from pool.map(decoded, paths[start : start + ahead])
