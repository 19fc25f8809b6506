"""Decode once: the images of a table in one file, built by one process and never half there.

The file's name is a digest of what is in it (paths, sizes, times of change, how they are decoded and by what), so that
a changed image or decoder makes a new store and an unchanged set is opened at once.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lesionlens.alone import file_lock
from lesionlens.atomic import atomic_write
from lesionlens.data.decode_all import decode_images
from lesionlens.data.decoding import ColorConstancy, HairRemoval, load_image, decoder_version
from lesionlens.data.store_kind import CacheOption, plan_cache
from lesionlens.data.stored import ImageDecoder, ImageCache, CacheIndex, JpegCache, CacheFormat, MemmapCache, NoCache

ProgressCallback = Callable[[int, int], None]
MessageCallback = Callable[[str], None]
CACHE_FORMAT_VERSION = 3


def default_cache_dir() -> Path:
    """Where stores are kept: LESIONLENS_CACHE, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESIONLENS_CACHE") or Path(base) / "lesionlens")


def open_image_cache(
    paths: Sequence[Path],
    *,
    max_short_side: int | None,
    color_constancy: ColorConstancy = "none",
    hair_removal: HairRemoval = "keep",
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
        As in ``decode``.
    option
        ``memmap``: as they are; ``jpeg``: of quality 95, in about a tenth of the room; ``none``: only their shapes, and
        decoded at each visit; ``auto``: what is there, else the first of these that takes at most half of the free
        disk.
    cache_dir
        Where stores lie; default ``default_folder()``.
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
    read = partial(load_image, max_short_side=max_short_side, color_constancy=color_constancy, hair_removal=hair_removal)
    cache_dir = cache_dir or default_cache_dir()
    place = _CacheLocation(
        cache_dir, _cache_key(paths, f"{CACHE_FORMAT_VERSION} {decoder_version()} {max_short_side} {color_constancy} {hair_removal}"), paths, read
    )
    wanted: tuple[CacheFormat, ...] = ("memmap", "jpeg") if option == "auto" else (option,)
    found = place.find(wanted)
    if found is not None:
        return found
    with file_lock(
        place.lock_path, on_wait=lambda: on_message(f"another process decodes these images into {cache_dir}: waiting")
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
        for left in self.stem.parent.glob(f".{self.stem.name}.*.part"):
            left.unlink(missing_ok=True)  # of a process that was killed: whoever builds has the lock
        index_file.unlink(missing_ok=True)
        count = len(self.paths)
        decoded = partial(decode_images, self.paths, self.decode, cache_format, on_progress=lambda done: progress(done, count))
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
        return (MemmapCache if cache_format == "memmap" else JpegCache)(index, self._file_paths(cache_format)[0])


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
