"""Which kind of store a set of images gets, and the room that it takes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lesionlens.data.images import read_header
from lesionlens.data.stored import CacheFormat
from lesionlens.errors import ImageError

CacheOption = Literal["auto", "memmap", "jpeg", "none"]
MAX_DISK_FRACTION = 0.5  # a store takes at most this share of what is free
SIZE_SAMPLE = 200  # headers that are read to tell the size of all images
# Dermoscopic images took 0.08 to 0.12 of their bytes at this quality; drawn ones with much texture take more.
JPEG_SIZE_RATIO = 0.2
_PLAN_MESSAGES = {
    "memmap": "decoding {images:,} images into a memory map: about {room} in {folder}, where {free} are free",
    "jpeg": "decoding {images:,} images into JPEGs: at most about {room} in {folder}, where {free} are free",
    "none": "{images:,} images are decoded anew at each visit: no store in {folder}, where {free} are free",
}


class CachePlan(NamedTuple):
    """What will be built.

    Attributes
    ----------
    cache_format
        How images will be kept.
    num_images
        How many.
    required_bytes
        Bytes that they will take, estimated.
    free_bytes
        Bytes that are free where they will lie.
    """

    cache_format: CacheFormat
    num_images: int
    required_bytes: int
    free_bytes: int

    def describe(self, cache_dir: Path) -> str:
        """Say it before it is done."""
        said = _PLAN_MESSAGES[self.cache_format]
        return said.format(images=self.num_images, room=_format_bytes(self.required_bytes), folder=cache_dir, free=_format_bytes(self.free_bytes))


def plan_cache(option: CacheOption, paths: Sequence[Path], max_short_side: int | None, cache_dir: Path) -> CachePlan:
    """Choose the kind that was asked for, or the fastest that half of the free disk holds.

    Parameters
    ----------
    paths, max_short_side
        The images, and what they are brought down to.
    cache_dir
        Where the store will lie; it must be there.
    """
    decoded, free = estimate_decoded_bytes(paths, max_short_side), shutil.disk_usage(cache_dir).free
    kind = choose_cache_format(decoded, free) if option == "auto" else option
    return CachePlan(kind, len(paths), _required_bytes(kind, decoded), free)


def choose_cache_format(decoded_bytes: int, free_bytes: int) -> CacheFormat:
    """Choose the fastest kind that fits.

    Examples
    --------
    >>> [choose_kind(10, free) for free in (100, 20, 19, 4, 3)]
    ['memmap', 'memmap', 'jpeg', 'jpeg', 'none']
    """
    kinds: tuple[CacheFormat, ...] = ("memmap", "jpeg", "none")
    return next(kind for kind in kinds if _required_bytes(kind, decoded_bytes) <= MAX_DISK_FRACTION * free_bytes)


def estimate_decoded_bytes(paths: Sequence[Path], max_short_side: int | None) -> int:
    """Estimate from the headers of some images how many bytes all of them have when decoded."""
    found = []
    for path in paths[:: -(-len(paths) // SIZE_SAMPLE)]:
        try:
            _, width, height = read_header(path)
        except ImageError:
            continue  # told with all others, when it is decoded
        scale = 1.0 if max_short_side is None else min(1.0, max_short_side / min(width, height))
        found.append(3 * width * height * scale**2)
    return round(len(paths) * sum(found) / max(1, len(found)))


def _required_bytes(cache_format: CacheFormat, decoded_bytes: int) -> int:
    return {"memmap": decoded_bytes, "jpeg": round(JPEG_SIZE_RATIO * decoded_bytes), "none": 0}[cache_format]


def _format_bytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
