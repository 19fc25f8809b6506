"""Find the images and masks that lie in a data set's folders."""

import filecmp
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.table import LesionTable


def lesion_mask_paths(table: LesionTable, mask_dir: Path | None = None) -> tuple[Path | None, ...]:
    """Give the file of each row's lesion mask: the table's own, or what lies in the folder (see ``find_masks_in``)."""
    if mask_dir is not None:
        return find_masks_in(mask_dir, table.frame["image_id"])
    return tuple(Path(path) if path else None for path in table.frame["mask_path"])


def find_masks_in(mask_dir: Path, image_ids: Iterable[str]) -> tuple[Path | None, ...]:
    """Find each image's mask in a folder: ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.

    Raises
    ------
    DataError
        There is no such folder.
    """
    if not mask_dir.expanduser().is_dir():
        raise DataError(
            f"there is no folder of masks {mask_dir}; give one that is there, or draw them: lesionlens segment predict "
            f"RUN IMAGES -o {mask_dir}"
        )
    found = find_masks(mask_dir.expanduser())
    return tuple(found.get(image_id) for image_id in image_ids)


IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
ISIC_ID = re.compile(r"ISIC_\d+")
ANY_ID = re.compile(r".+")
_MASK_STEM = re.compile(r"(?P<id>.+?)_(segmentation|mask|structures)", re.IGNORECASE)
_NON_IMAGE_DIRS = re.compile(r"mask|segmentation|structures|superpixel|ground_?truth|__macosx", re.IGNORECASE)


class ImageIndex(NamedTuple):
    """Images by id, and the folders in which they were looked for."""

    images: dict[str, Path]
    searched: tuple[Path, ...]

    def describe_searched(self) -> str:
        """Say which folders were looked at, for a message."""
        shown = ", ".join(map(str, self.searched[:8]))
        return shown + (f" and {len(self.searched) - 8} more" if len(self.searched) > 8 else "")


def find_images(
    root: Path, issues: IssueCollector, *, id_pattern: re.Pattern[str] = ANY_ID, depth: int = 2
) -> ImageIndex:
    """Find the images in ``root`` and ``depth`` levels of folders below it.

    Folders of masks, superpixels and ground truth are not entered; a file counts when its whole stem matches
    ``id_pattern``. Of two files with one id the first is kept: identical bytes are a warning, others an error.
    """
    images: dict[str, Path] = {}
    looked: list[Path] = []
    for folder in _walk_dirs(root, depth):
        looked.append(folder)
        for path in _image_files(folder):
            if id_pattern.fullmatch(path.stem):
                _add_image(images, path, issues)
    return ImageIndex(images, tuple(looked))


def find_masks(*folders: Path) -> dict[str, Path]:
    """Give lesion masks by image id: ``ID_segmentation.png`` and its like, or ``ID.png``.

    A JPEG that is named as its image is a photograph; a file that is named as a mask goes before one that is not.
    """
    named: dict[str, Path] = {}
    bare: dict[str, Path] = {}
    for folder in folders:
        for path in _image_files(folder) if folder.is_dir() else ():
            if found := _MASK_STEM.fullmatch(path.stem):
                named.setdefault(found["id"], path)
            elif path.suffix.lower() not in _JPEG_SUFFIXES:
                bare.setdefault(path.stem, path)
    return bare | named


def find_by_pattern(pattern: re.Pattern[str], *folders: Path) -> dict[str, list[Path]]:
    """Give the files whose whole name matches the pattern, sorted, by its group ``id``."""
    parts: dict[str, list[Path]] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if found := pattern.fullmatch(name):
                parts.setdefault(found["id"], []).append(folder / name)
    return parts


def unique_stems(file_names: pd.Series) -> pd.Series:
    """Take the files' names without folder and suffix for ids; with their folders where names repeat."""
    stems = file_names.map(lambda cell: strip_image_suffix(PurePosixPath(cell).name))
    repeated = pd.DataFrame({"stem": stems, "cell": file_names}).drop_duplicates()["stem"].duplicated().any()
    return file_names.map(strip_image_suffix) if repeated else stems


def strip_image_suffix(name: str) -> str:
    """Drop an image's suffix; a dot elsewhere in an id stays.

    Examples
    --------
    >>> strip_image_suffix("a/b.1.jpg"), strip_image_suffix("b.1")
    ('a/b.1', 'b.1')
    """
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def _add_image(images: dict[str, Path], path: Path, issues: IssueCollector) -> None:
    kept = images.setdefault(path.stem, path)
    if kept is path:
        return
    if filecmp.cmp(kept, path, shallow=False):
        issues.add_warning(
            "the same image in two places", [f"{kept} and {path}"], hint="One of each is used."
        )
    else:
        issues.add_error(
            "different images with one id", [f"{kept} and {path}"], hint="Keep the right one of each pair."
        )


def _walk_dirs(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            if entry.is_dir() and not entry.name.startswith(".") and not _NON_IMAGE_DIRS.search(entry.name):
                yield from _walk_dirs(Path(entry), depth - 1)


def _image_files(folder: Path) -> Iterator[Path]:
    """Give the files with an image's suffix, sorted; hidden ones (``._ISIC_1.jpg`` of a Mac) are none."""
    for name in sorted(os.listdir(folder)):
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
            yield folder / name
