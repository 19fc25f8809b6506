"""Image and mask files in the directories of a dataset."""

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
    """Return the lesion mask file of each row: from the table, or from ``mask_dir`` as in ``find_masks_in``."""
    if mask_dir is not None:
        return find_masks_in(mask_dir, table.frame["image_id"])
    return tuple(Path(path) if path else None for path in table.frame["mask_path"])


def find_masks_in(mask_dir: Path, image_ids: Iterable[str]) -> tuple[Path | None, ...]:
    """Return the mask file of each image in a directory: ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.

    Raises
    ------
    DataError
        The directory does not exist.
    """
    if not mask_dir.expanduser().is_dir():
        raise DataError(
            f"there is no folder of masks {mask_dir}; name an existing one, or predict masks: lesionlens segment "
            f"predict RUN IMAGES -o {mask_dir}"
        )
    masks = find_masks(mask_dir.expanduser())
    return tuple(masks.get(image_id) for image_id in image_ids)


IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
ISIC_ID = re.compile(r"ISIC_\d+")
ANY_ID = re.compile(r".+")
_MASK_STEM = re.compile(r"(?P<id>.+?)_(segmentation|mask|structures)", re.IGNORECASE)
_NON_IMAGE_DIRS = re.compile(r"mask|segmentation|structures|superpixel|ground_?truth|__macosx", re.IGNORECASE)


class ImageIndex(NamedTuple):
    """Image files by ID, and the directories that were searched."""

    images: dict[str, Path]
    searched: tuple[Path, ...]

    def describe_searched(self) -> str:
        """Return the searched directories as text for a message."""
        shown = ", ".join(map(str, self.searched[:8]))
        return shown + (f" and {len(self.searched) - 8} more" if len(self.searched) > 8 else "")


def find_images(
    root: Path, issues: IssueCollector, *, id_pattern: re.Pattern[str] = ANY_ID, depth: int = 2
) -> ImageIndex:
    """Find the image files in ``root`` and ``depth`` levels of subdirectories.

    Directories of masks, superpixels and ground truth are skipped. A file is included if its stem fully matches
    ``id_pattern``. If two files have the same ID, the first is used: identical files are a warning, different files
    an error.
    """
    images: dict[str, Path] = {}
    searched: list[Path] = []
    for folder in _walk_dirs(root, depth):
        searched.append(folder)
        for path in _image_files(folder):
            if id_pattern.fullmatch(path.stem):
                _add_image(images, path, issues)
    return ImageIndex(images, tuple(searched))


def find_masks(*folders: Path) -> dict[str, Path]:
    """Return mask files by image ID: ``ID_segmentation.png``, ``ID_mask.png``, ``ID_structures.png`` or ``ID.png``.

    A file with a mask suffix takes precedence over one without. A JPEG without a mask suffix is an image, not a mask.
    """
    suffixed: dict[str, Path] = {}
    unsuffixed: dict[str, Path] = {}
    for folder in folders:
        for path in _image_files(folder) if folder.is_dir() else ():
            if match := _MASK_STEM.fullmatch(path.stem):
                suffixed.setdefault(match["id"], path)
            elif path.suffix.lower() not in _JPEG_SUFFIXES:
                unsuffixed.setdefault(path.stem, path)
    return unsuffixed | suffixed


def find_by_pattern(pattern: re.Pattern[str], *folders: Path) -> dict[str, list[Path]]:
    """Return the files whose name fully matches a pattern, sorted by name, by the group ``id`` of the pattern."""
    files: dict[str, list[Path]] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if match := pattern.fullmatch(name):
                files.setdefault(match["id"], []).append(folder / name)
    return files


def unique_stems(file_names: pd.Series) -> pd.Series:
    """Return file names without directory and extension as IDs; with directories if the names are not unique."""
    stems = file_names.map(lambda cell: strip_image_suffix(PurePosixPath(cell).name))
    repeated = pd.DataFrame({"stem": stems, "cell": file_names}).drop_duplicates()["stem"].duplicated().any()
    return file_names.map(strip_image_suffix) if repeated else stems


def strip_image_suffix(name: str) -> str:
    """Remove the extension of an image file; other dots in an ID stay.

    Examples
    --------
    >>> strip_image_suffix("a/b.1.jpg"), strip_image_suffix("b.1")
    ('a/b.1', 'b.1')
    """
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def _add_image(images: dict[str, Path], path: Path, issues: IssueCollector) -> None:
    first = images.setdefault(path.stem, path)
    if first is path:
        return
    pair = [f"{first} and {path}"]
    if filecmp.cmp(first, path, shallow=False):
        issues.add_warning("identical image files", pair, hint="The first of each pair is used.")
    else:
        issues.add_error(
            "different images with the same id", pair, hint="Remove the wrong file of each pair."
        )


def _walk_dirs(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            if entry.is_dir() and not entry.name.startswith(".") and not _NON_IMAGE_DIRS.search(entry.name):
                yield from _walk_dirs(Path(entry), depth - 1)


def _image_files(folder: Path) -> Iterator[Path]:
    """Yield the files with an image extension, sorted, without hidden files (``._ISIC_1.jpg`` on macOS)."""
    for name in sorted(os.listdir(folder)):
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
            yield folder / name
