"""Cache of decoded images: one file per dataset, built once by one process and written atomically.

The file name is a digest of the content: image paths, sizes and modification times, decoding options and decoder
version. A changed image or decoder creates a new cache, and an unchanged dataset is opened at once.
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
MessageCallback = Callable[[str], None]
CACHE_FORMAT_VERSION = 5
MAX_DISK_FRACTION = 0.5  # maximum size of a cache, as a fraction of the free disk space
SIZE_SAMPLE = 200  # number of image headers from which the total size is estimated
# JPEGs of this quality took 0.08 to 0.12 of the decoded size of dermoscopic images; synthetic texture takes more.
JPEG_SIZE_RATIO = 0.2
_PLAN_MESSAGES = {
    "memmap": "decoding {images:,} images into a memory map: about {required} in {folder}, where {free} are free",
    "jpeg": "decoding {images:,} images into JPEGs: at most about {required} in {folder}, where {free} are free",
    "none": "{images:,} images are decoded at every access: no image cache in {folder}, where {free} are free",
}


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
    """Open the cache of a list of images; decode them first if there is none yet.

    Parameters
    ----------
    paths
        Image files, in the order of their indices in the cache.
    max_short_side, color_constancy, hair_removal
        Decoding options, as in ``load_image``.
    option
        ``memmap``: uncompressed; ``jpeg``: quality 95, in about a tenth of the space; ``none``: only shapes are stored,
        and images are decoded at every access; ``auto``: an existing cache, else the first of these that takes at most
        half of the free disk space.
    cache_dir
        Directory of image caches; default: ``default_cache_dir()``.
    on_message
        Called with a message before the cache is built, or before waiting for another process.
    progress
        Called with the number of decoded images and of all images.

    Raises
    ------
    DataError
        Some images cannot be decoded; the message has their number and the first few names.
    RunError
        No disk space, no permission or no file locks in the directory.
    """
    decode = partial(
        load_image, max_short_side=max_short_side, color_constancy=color_constancy, hair_removal=hair_removal
    )
    cache_dir = cache_dir or default_cache_dir()
    settings = f"{CACHE_FORMAT_VERSION} {decoder_version()} {max_short_side} {color_constancy} {hair_removal}"
    location = _CacheLocation(cache_dir, _cache_key(paths, settings), paths, decode)
    accepted: tuple[CacheFormat, ...] = ("memmap", "jpeg") if option == "auto" else (option,)
    cache = location.find(accepted)
    if cache is not None:
        return cache
    with file_lock(
        location.lock_path,
        on_wait=lambda: on_message(f"waiting for another process that decodes these images into {cache_dir}"),
    ):
        cache = location.find(accepted)  # the other process may have built it
        if cache is None:
            plan = plan_cache(option, paths, max_short_side, cache_dir)
            on_message(plan.describe(cache_dir))
            # An index without pixels may exist: "auto" uses it only if no other format fits.
            cache = location.find([plan.cache_format]) or location.build(plan.cache_format, progress)
        return cache


class CachePlan(NamedTuple):
    """Format and size of a cache to be built.

    Attributes
    ----------
    cache_format
        Format in which images will be stored.
    num_images
        Number of images.
    required_bytes
        Estimated size of the cache.
    free_bytes
        Free disk space in the cache directory.
    """

    cache_format: CacheFormat
    num_images: int
    required_bytes: int
    free_bytes: int

    def describe(self, cache_dir: Path) -> str:
        """Return the message to show before the cache is built."""
        return _PLAN_MESSAGES[self.cache_format].format(
            images=self.num_images,
            required=_format_bytes(self.required_bytes),
            folder=cache_dir,
            free=_format_bytes(self.free_bytes),
        )


def plan_cache(
    option: CacheOption, paths: Sequence[Path], max_short_side: int | None, cache_dir: Path
) -> CachePlan:
    """Select the requested cache format, or with ``auto`` the fastest one that fits into half of the free disk.

    Parameters
    ----------
    option
        Requested format.
    paths, max_short_side
        Image files, and the upper bound of their shorter sides after decoding.
    cache_dir
        Existing directory for the cache.
    """
    decoded, free = estimate_decoded_bytes(paths, max_short_side), shutil.disk_usage(cache_dir).free
    cache_format = choose_cache_format(decoded, free) if option == "auto" else option
    return CachePlan(cache_format, len(paths), _required_bytes(cache_format, decoded), free)


def choose_cache_format(decoded_bytes: int, free_bytes: int) -> CacheFormat:
    """Return the fastest cache format that fits into ``MAX_DISK_FRACTION`` of the free disk space.

    Examples
    --------
    >>> [choose_cache_format(10, free) for free in (100, 20, 19, 4, 3)]
    ['memmap', 'memmap', 'jpeg', 'jpeg', 'none']
    """
    fastest_first: tuple[CacheFormat, ...] = ("memmap", "jpeg", "none")
    limit = MAX_DISK_FRACTION * free_bytes
    return next(
        candidate for candidate in fastest_first if _required_bytes(candidate, decoded_bytes) <= limit
    )


def estimate_decoded_bytes(paths: Sequence[Path], max_short_side: int | None) -> int:
    """Estimate the decoded size of all images from the headers of a sample."""
    sizes = []
    for path in paths[:: -(-len(paths) // SIZE_SAMPLE)]:
        try:
            _, width, height = read_header(path)
        except ImageError:
            continue  # reported together with all others when it is decoded
        scale = 1.0 if max_short_side is None else min(1.0, max_short_side / min(width, height))
        sizes.append(3 * width * height * scale**2)
    return round(len(paths) * sum(sizes) / max(1, len(sizes)))


def _required_bytes(cache_format: CacheFormat, decoded_bytes: int) -> int:
    return {"memmap": decoded_bytes, "jpeg": round(JPEG_SIZE_RATIO * decoded_bytes), "none": 0}[cache_format]


def _format_bytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"


class _CacheLocation:
    """Files of the cache of a list of images, in any format."""

    def __init__(self, cache_dir: Path, key: str, paths: Sequence[Path], decode: ImageDecoder) -> None:
        self.stem, self.paths, self.decode = cache_dir / f"images-{key}", paths, decode
        self.lock_path = self.stem.with_suffix(".lock")

    def find(self, cache_formats: Sequence[CacheFormat]) -> ImageCache | None:
        """Open the first of these formats whose files exist and are complete."""
        for cache_format in cache_formats:
            file, index_file = self._file_paths(cache_format)
            index = CacheIndex.read(index_file) if index_file.is_file() else None
            if index is None or len(index.shapes) != len(self.paths):  # damaged: the cache is built again
                continue
            if cache_format == "none" or (file.is_file() and file.stat().st_size == index.offsets[-1]):
                return self._open(cache_format, index)
        return None

    def build(self, cache_format: CacheFormat, progress: ProgressCallback) -> ImageCache:
        """Decode all images; the index is written last and marks the cache as complete."""
        file, index_file = self._file_paths(cache_format)
        for stale in self.stem.parent.glob(f".{self.stem.name}.*.partial"):
            stale.unlink(missing_ok=True)  # of a killed process: the builder holds the lock
        index_file.unlink(missing_ok=True)
        count = len(self.paths)
        decode_to = partial(
            decode_images,
            self.paths,
            self.decode,
            cache_format,
            on_progress=lambda done: progress(done, count),
        )
        if cache_format == "none":
            index = decode_to(write=lambda _: None)
        else:
            with atomic_write(file) as partial_file, partial_file.open("wb") as stream:
                index = decode_to(write=stream.write)
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
        return "not there"  # reported together with all unreadable images when it is decoded
    return f"{stat.st_size} {stat.st_mtime_ns}"
