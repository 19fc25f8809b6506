"""Find the images and masks that lie in a data set's folders."""

import filecmp
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from lesionlens.data.problems import Problems

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
_JPEG = frozenset({".jpg", ".jpeg"})
ISIC_ID = re.compile(r"ISIC_\d+")
ANY_ID = re.compile(r".+")
_MASK = re.compile(r"(?P<id>.+?)_(segmentation|mask|structures)", re.IGNORECASE)
_NO_IMAGES = re.compile(r"mask|segmentation|structures|superpixel|ground_?truth|__macosx", re.IGNORECASE)


class Found(NamedTuple):
    """Images by id, and the folders in which they were looked for."""

    images: dict[str, Path]
    looked: tuple[Path, ...]

    def where(self) -> str:
        """Say which folders were looked at, for a message."""
        shown = ", ".join(map(str, self.looked[:8]))
        return shown + (f" and {len(self.looked) - 8} more" if len(self.looked) > 8 else "")


def find_images(root: Path, problems: Problems, *, ids: re.Pattern[str] = ANY_ID, depth: int = 2) -> Found:
    """Find the images in ``root`` and ``depth`` levels of folders below it.

    Folders of masks, superpixels and ground truth are not entered; a file counts when its whole stem matches
    ``ids``. Of two files with one id the first is kept: identical bytes are a warning, others an error.
    """
    images: dict[str, Path] = {}
    looked: list[Path] = []
    for folder in _folders(root, depth):
        looked.append(folder)
        for path in _files(folder):
            if ids.fullmatch(path.stem):
                _add(images, path, problems)
    return Found(images, tuple(looked))


def find_masks(*folders: Path) -> dict[str, Path]:
    """Give lesion masks by image id: ``ID_segmentation.png`` and its like, or ``ID.png``.

    A JPEG that is named as its image is a photograph; a file that is named as a mask goes before one that is not.
    """
    named: dict[str, Path] = {}
    bare: dict[str, Path] = {}
    for folder in folders:
        for path in _files(folder) if folder.is_dir() else ():
            if found := _MASK.fullmatch(path.stem):
                named.setdefault(found["id"], path)
            elif path.suffix.lower() not in _JPEG:
                bare.setdefault(path.stem, path)
    return bare | named


def find_parts(pattern: re.Pattern[str], *folders: Path) -> dict[str, list[Path]]:
    """Give the files whose whole name matches the pattern, sorted, by its group ``id``."""
    parts: dict[str, list[Path]] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if found := pattern.fullmatch(name):
                parts.setdefault(found["id"], []).append(folder / name)
    return parts


def short_names(written: pd.Series) -> pd.Series:
    """Take the files' names without folder and suffix for ids; with their folders where names repeat."""
    stems = written.map(lambda cell: stem(PurePosixPath(cell).name))
    repeated = pd.DataFrame({"stem": stems, "cell": written}).drop_duplicates()["stem"].duplicated().any()
    return written.map(stem) if repeated else stems


def stem(cell: str) -> str:
    """Drop an image's suffix; a dot elsewhere in an id stays.

    Examples
    --------
    >>> stem("a/b.1.jpg"), stem("b.1")
    ('a/b.1', 'b.1')
    """
    path = PurePosixPath(cell)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else cell


def _add(images: dict[str, Path], path: Path, problems: Problems) -> None:
    kept = images.setdefault(path.stem, path)
    if kept is path:
        return
    if filecmp.cmp(kept, path, shallow=False):
        problems.warn("the same image in two places", [f"{kept} and {path}"], do="One of each is used.")
    else:
        problems.error(
            "different images with one id", [f"{kept} and {path}"], do="Keep the right one of each pair."
        )


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            if entry.is_dir() and not entry.name.startswith(".") and not _NO_IMAGES.search(entry.name):
                yield from _folders(Path(entry), depth - 1)


def _files(folder: Path) -> Iterator[Path]:
    """Give the files with an image's suffix, sorted; hidden ones (``._ISIC_1.jpg`` of a Mac) are none."""
    for name in sorted(os.listdir(folder)):
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
            yield folder / name
