"""Decode once: the images of a table in one file, built by one process and never half there.

The file's name is a digest of what is in it (paths, sizes, times of change, how they are decoded and by what), so that
a changed image or decoder makes a new store and an unchanged set is opened at once.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lesionlens.alone import alone
from lesionlens.atomic import replacing
from lesionlens.data.decode_all import decode_all
from lesionlens.data.decoding import Colour, Hair, decode, decoder
from lesionlens.data.store_kind import Asked, plan_store
from lesionlens.data.stored import Decode, ImageStore, Index, Jpegs, Kind, MemoryMap, Originals

Progress = Callable[[int, int], None]
Say = Callable[[str], None]
FORMAT = 3


def default_folder() -> Path:
    """Where stores are kept: LESIONLENS_CACHE, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESIONLENS_CACHE") or Path(base) / "lesionlens")


def open_store(
    paths: Sequence[Path],
    *,
    shorter_side: int | None,
    colour: Colour = "none",
    hair: Hair = "keep",
    kind: Asked = "auto",
    folder: Path | None = None,
    say: Say = lambda _: None,
    progress: Progress = lambda *_: None,
) -> ImageStore:
    """Open the store of these images, decoding them first if there is none yet.

    Parameters
    ----------
    paths
        Image files, in the order in which they will be asked for.
    shorter_side, colour, hair
        As in ``decode``.
    kind
        ``memmap``: as they are; ``jpeg``: of quality 95, in about a tenth of the room; ``none``: only their shapes, and
        decoded at each visit; ``auto``: what is there, else the first of these that takes at most half of the free
        disk.
    folder
        Where stores lie; default ``default_folder()``.
    say
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
    read = partial(decode, shorter_side=shorter_side, colour=colour, hair=hair)
    folder = folder or default_folder()
    place = _Place(
        folder, _digest(paths, f"{FORMAT} {decoder()} {shorter_side} {colour} {hair}"), paths, read
    )
    wanted: tuple[Kind, ...] = ("memmap", "jpeg") if kind == "auto" else (kind,)
    found = place.find(wanted)
    if found is not None:
        return found
    with alone(
        place.lock, waiting=lambda: say(f"another process decodes these images into {folder}: waiting")
    ):
        found = place.find(wanted)  # built by whom we waited for
        if found is None:
            plan = plan_store(kind, paths, shorter_side, folder)
            say(plan.sentence(folder))
            # shapes alone may be there: "auto" takes them only where nothing else fits
            found = place.find([plan.kind]) or place.build(plan.kind, progress)
        return found


class _Place:
    """Where the store of some images lies, of whichever kind."""

    def __init__(self, folder: Path, digest: str, paths: Sequence[Path], decode: Decode) -> None:
        self.stem, self.paths, self.decode = folder / f"images-{digest}", paths, decode
        self.lock = self.stem.with_suffix(".lock")

    def find(self, kinds: Sequence[Kind]) -> ImageStore | None:
        """Open the first of these kinds that is there and whole."""
        for kind in kinds:
            file, index_file = self._files(kind)
            if index_file.is_file():
                index = Index.read(index_file)
                if kind == "none" or (file.is_file() and file.stat().st_size == index.ends[-1]):
                    return self._open(kind, index)
        return None

    def build(self, kind: Kind, progress: Progress) -> ImageStore:
        """Decode all images; the index is written last, and only then is there a store."""
        file, index_file = self._files(kind)
        for left in self.stem.parent.glob(f".{self.stem.name}.*.part"):
            left.unlink(missing_ok=True)  # of a process that was killed: whoever builds has the lock
        index_file.unlink(missing_ok=True)
        count = len(self.paths)
        decoded = partial(decode_all, self.paths, self.decode, kind, done=lambda done: progress(done, count))
        if kind == "none":
            index = decoded(write=lambda _: None)
        else:
            with replacing(file) as part, part.open("wb") as stream:
                index = decoded(write=stream.write)
        index.write(index_file)
        return self._open(kind, index)

    def _files(self, kind: Kind) -> tuple[Path, Path]:
        return self.stem.with_suffix(f".{kind}"), self.stem.with_suffix(f".{kind}.json")

    def _open(self, kind: Kind, index: Index) -> ImageStore:
        if kind == "none":
            return Originals(index, self.paths, self.decode)
        return (MemoryMap if kind == "memmap" else Jpegs)(index, self._files(kind)[0])


def _digest(paths: Sequence[Path], how: str) -> str:
    digest = hashlib.sha256(how.encode())
    for path in paths:
        digest.update(f"{path.resolve()} {_state(path)}\n".encode())
    return digest.hexdigest()[:24]


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "not there"  # told with all that cannot be read, when it is decoded
    return f"{stat.st_size} {stat.st_mtime_ns}"
