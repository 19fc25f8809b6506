"""Decode once: the images of a table in one file, built by one process and never half there.

The file's name is a digest of what is in it (paths, sizes, times of change, how they are decoded and by what), so that
a changed image or decoder makes a new store and an unchanged set is opened at once.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from lesionlens.core.errors import ImageError
from lesionlens.core.fileio import atomic_write, default_cache_dir, file_lock
from lesionlens.core.types import ProgressCallback
from lesionlens.data.cache_formats import (
    CacheFormat,
    CacheIndex,
    ImageCache,
    ImageDecoder,
    JpegCache,
    MemmapCache,
    NoCache,
    decode_images,
)
from lesionlens.imaging.decode import read_header
from lesionlens.imaging.load import ColorConstancy, decoder_version, load_image

CacheOption = Literal["auto", "memmap", "jpeg", "none"]
MAX_DISK_FRACTION = 0.5  # a store takes at most this share of what is free
SIZE_SAMPLE = 200  # headers that are read to tell the size of all images
# Dermoscopic images took 0.08 to 0.12 of their bytes at this quality; drawn ones with much texture take more.
JPEG_SIZE_RATIO = 0.2
_PLAN_MESSAGES = {
    "memmap": "decoding {images:,} images into a memory map: about {required} in {folder}, where {free} are free",
    "jpeg": "decoding {images:,} images into JPEGs: at most about {required} in {folder}, where {free} are free",
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
        return said.format(
            images=self.num_images,
            required=_format_bytes(self.required_bytes),
            folder=cache_dir,
            free=_format_bytes(self.free_bytes),
        )


def plan_cache(
    option: CacheOption, paths: Sequence[Path], max_short_side: int | None, cache_dir: Path
) -> CachePlan:
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
    >>> [choose_cache_format(10, free) for free in (100, 20, 19, 4, 3)]
    ['memmap', 'memmap', 'jpeg', 'jpeg', 'none']
    """
    kinds: tuple[CacheFormat, ...] = ("memmap", "jpeg", "none")
    return next(
        kind for kind in kinds if _required_bytes(kind, decoded_bytes) <= MAX_DISK_FRACTION * free_bytes
    )


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


MessageCallback = Callable[[str], None]
CACHE_FORMAT_VERSION = 4


def open_image_cache(
    paths: Sequence[Path],
    *,
    max_short_side: int | None,
    color_constancy: ColorConstancy = "none",
    hair_removal: bool = False,
    option: CacheOption = "auto",
    cache_dir: Path | None = None,
    on_message: MessageCallback = lambda _: None,
    progress: ProgressCallback = lambda *_: None,
) -> ImageCache:
    """Open the store of these images, decoding them first if there is none yet.

    Parameters
    ----------
    paths
        Image files, in the order in which they will be asked for.
    max_short_side, color_constancy, hair_removal
        As in ``load_image``.
    option
        ``memmap``: as they are; ``jpeg``: of quality 95, in about a tenth of the room; ``none``: only their shapes, and
        decoded at each visit; ``auto``: what is there, else the first of these that takes at most half of the free
        disk.
    cache_dir
        Where stores lie; default ``default_cache_dir()``.
    on_message
        Called with a sentence before anything is built, or waited for.
    progress
        Called with images done and images in all.

    Raises
    ------
    DataError
        Images that cannot be decoded: counted, the first few named.
    RunError
        No space, no permission or no locks in the folder.
    """
    read = partial(
        load_image, max_short_side=max_short_side, color_constancy=color_constancy, hair_removal=hair_removal
    )
    cache_dir = cache_dir or default_cache_dir()
    place = _CacheLocation(
        cache_dir,
        _cache_key(
            paths,
            f"{CACHE_FORMAT_VERSION} {decoder_version()} {max_short_side} {color_constancy} {hair_removal}",
        ),
        paths,
        read,
    )
    wanted: tuple[CacheFormat, ...] = ("memmap", "jpeg") if option == "auto" else (option,)
    found = place.find(wanted)
    if found is not None:
        return found
    with file_lock(
        place.lock_path,
        on_wait=lambda: on_message(f"another process decodes these images into {cache_dir}: waiting"),
    ):
        found = place.find(wanted)  # built by whom we waited for
        if found is None:
            plan = plan_cache(option, paths, max_short_side, cache_dir)
            on_message(plan.describe(cache_dir))
            # shapes alone may be there: "auto" takes them only where nothing else fits
            found = place.find([plan.cache_format]) or place.build(plan.cache_format, progress)
        return found


class _CacheLocation:
    """Where the store of some images lies, of whichever kind."""

    def __init__(self, cache_dir: Path, key: str, paths: Sequence[Path], decode: ImageDecoder) -> None:
        self.stem, self.paths, self.decode = cache_dir / f"images-{key}", paths, decode
        self.lock_path = self.stem.with_suffix(".lock")

    def find(self, cache_formats: Sequence[CacheFormat]) -> ImageCache | None:
        """Open the first of these kinds that is there and whole."""
        for kind in cache_formats:
            file, index_file = self._file_paths(kind)
            if index_file.is_file():
                index = CacheIndex.read(index_file)
                if kind == "none" or (file.is_file() and file.stat().st_size == index.offsets[-1]):
                    return self._open(kind, index)
        return None

    def build(self, cache_format: CacheFormat, progress: ProgressCallback) -> ImageCache:
        """Decode all images; the index is written last, and only then is there a store."""
        file, index_file = self._file_paths(cache_format)
        for left in self.stem.parent.glob(f".{self.stem.name}.*.partial"):
            left.unlink(missing_ok=True)  # of a process that was killed: whoever builds has the lock
        index_file.unlink(missing_ok=True)
        count = len(self.paths)
        decoded = partial(
            decode_images,
            self.paths,
            self.decode,
            cache_format,
            on_progress=lambda done: progress(done, count),
        )
        if cache_format == "none":
            index = decoded(write=lambda _: None)
        else:
            with atomic_write(file) as part, part.open("wb") as stream:
                index = decoded(write=stream.write)
        index.write(index_file)
        return self._open(cache_format, index)

    def _file_paths(self, cache_format: CacheFormat) -> tuple[Path, Path]:
        return self.stem.with_suffix(f".{cache_format}"), self.stem.with_suffix(f".{cache_format}.json")

    def _open(self, cache_format: CacheFormat, index: CacheIndex) -> ImageCache:
        if cache_format == "none":
            return NoCache(index, self.paths, self.decode)
        return (MemmapCache if cache_format == "memmap" else JpegCache)(
            index, self._file_paths(cache_format)[0]
        )


def _cache_key(paths: Sequence[Path], settings: str) -> str:
    digest = hashlib.sha256(settings.encode())
    for path in paths:
        digest.update(f"{path.resolve()} {_file_state(path)}\n".encode())
    return digest.hexdigest()[:24]


def _file_state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "not there"  # told with all that cannot be read, when it is decoded
    return f"{stat.st_size} {stat.st_mtime_ns}"
