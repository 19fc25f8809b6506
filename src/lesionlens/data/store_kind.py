"""Which kind of store a set of images gets, and the room that it takes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lesionlens.data.images import probe
from lesionlens.data.stored import Kind
from lesionlens.errors import ImageError

Asked = Literal["auto", "memmap", "jpeg", "none"]
OF_THE_DISK = 0.5  # a store takes at most this share of what is free
SAMPLE = 200  # headers that are read to tell the size of all images
# Dermoscopic images took 0.08 to 0.12 of their bytes at this quality; drawn ones with much texture take more.
JPEG_SHARE = 0.2
_WORDS = {
    "memmap": "decoding {images:,} images into a memory map: about {room} in {folder}, where {free} are free",
    "jpeg": "decoding {images:,} images into JPEGs: at most about {room} in {folder}, where {free} are free",
    "none": "{images:,} images are decoded anew at each visit: no store in {folder}, where {free} are free",
}


class StorePlan(NamedTuple):
    """What will be built.

    Attributes
    ----------
    kind
        How images will be kept.
    images
        How many.
    room
        Bytes that they will take, estimated.
    free
        Bytes that are free where they will lie.
    """

    kind: Kind
    images: int
    room: int
    free: int

    def sentence(self, folder: Path) -> str:
        """Say it before it is done."""
        said = _WORDS[self.kind]
        return said.format(images=self.images, room=_size(self.room), folder=folder, free=_size(self.free))


def plan_store(asked: Asked, paths: Sequence[Path], shorter_side: int | None, folder: Path) -> StorePlan:
    """Choose the kind that was asked for, or the fastest that half of the free disk holds.

    Parameters
    ----------
    paths, shorter_side
        The images, and what they are brought down to.
    folder
        Where the store will lie; it must be there.
    """
    decoded, free = decoded_bytes(paths, shorter_side), shutil.disk_usage(folder).free
    kind = choose_kind(decoded, free) if asked == "auto" else asked
    return StorePlan(kind, len(paths), _room(kind, decoded), free)


def choose_kind(decoded: int, free: int) -> Kind:
    """Choose the fastest kind that fits.

    Examples
    --------
    >>> [choose_kind(10, free) for free in (100, 20, 19, 4, 3)]
    ['memmap', 'memmap', 'jpeg', 'jpeg', 'none']
    """
    kinds: tuple[Kind, ...] = ("memmap", "jpeg", "none")
    return next(kind for kind in kinds if _room(kind, decoded) <= OF_THE_DISK * free)


def decoded_bytes(paths: Sequence[Path], shorter_side: int | None) -> int:
    """Estimate from the headers of some images how many bytes all of them have when decoded."""
    found = []
    for path in paths[:: -(-len(paths) // SAMPLE)]:
        try:
            _, width, height = probe(path)
        except ImageError:
            continue  # told with all others, when it is decoded
        scale = 1.0 if shorter_side is None else min(1.0, shorter_side / min(width, height))
        found.append(3 * width * height * scale**2)
    return round(len(paths) * sum(found) / max(1, len(found)))


def _room(kind: Kind, decoded: int) -> int:
    return {"memmap": decoded, "jpeg": round(JPEG_SHARE * decoded), "none": 0}[kind]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
