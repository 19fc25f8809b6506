"""Image and mask files in the directories of a dataset."""

import filecmp
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.datasets.folder_walk import FolderWalk
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.formats import IMAGE_SUFFIXES, strip_image_suffix


def lesion_mask_paths(table: LesionTable, mask_dir: Path | None = None) -> tuple[Path | None, ...]:
    """Return the lesion mask file of each row: from the table, or from ``mask_dir`` as in ``find_masks_in``."""
    if mask_dir is not None:
        return find_masks_in(mask_dir, table.frame["image_id"])
    return tuple(Path(path) if path else None for path in table.frame["mask_path"])


def find_masks_in(mask_dir: Path, image_ids: Iterable[str]) -> tuple[Path | None, ...]:
    """Return the mask file of each image in a directory, with the names of ``find_masks``.

    Raises
    ------
    DataError
        The directory does not exist, or contains files but no mask of any of the images.
    """
    folder = mask_dir.expanduser()
    if not folder.is_dir():
        raise DataError(
            f"there is no folder of masks {mask_dir}; name an existing one, or predict masks: lesionlens segment "
            f"predict RUN IMAGES -o {mask_dir}"
        )
    by_stem = {os.path.splitext(name)[0]: folder / name for name in reversed(image_names_in(folder))}
    masks = {stem: path for stem, path in by_stem.items() if not _is_jpeg(path)} | find_masks(folder)
    ids, names = list(image_ids), sorted(os.listdir(folder))
    if ids and names and not any(name in masks for name in ids):
        raise DataError(
            f"no mask in {mask_dir} belongs to an image: searched for {ids[0]}.png and {ids[0]}_SUFFIX.png, with the "
            f"suffixes {', '.join(_MASK_SUFFIXES)}; the folder has {pluralize(len(names), 'file')}, for example "
            f"{names[0]}. Rename the masks"
        )
    return tuple(masks.get(image_id) for image_id in ids)


def _is_jpeg(path: Path) -> bool:
    return path.suffix.lower() in _JPEG_SUFFIXES


_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
ISIC_ID = re.compile(r"ISIC_\d+")
ANY_ID = re.compile(r".+")
_MASK_SUFFIXES = ("segmentation", "mask", "structures", "lesion", "seg", "gt", "groundtruth", "label")
_MASK_STEM = re.compile(rf"(?P<id>.+?)[_-](?P<suffix>{'|'.join(_MASK_SUFFIXES)})", re.IGNORECASE)


@dataclass(frozen=True)
class ImageIndex:
    """Image files by ID, and the directories that were searched.

    Attributes
    ----------
    images
        Image file of each ID.
    searched
        Directories that were searched.
    alternatives
        Other files of an ID, if there are several.
    unmatched
        Files that no row names, of a custom table.
    skipped
        Number of files of each kind that were not read.
    """

    images: Mapping[str, Path]
    searched: tuple[Path, ...]
    alternatives: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    unmatched: tuple[Path, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)

    def describe_searched(self) -> str:
        """Return the searched directories as text for a message."""
        shown = ", ".join(map(str, self.searched[:8]))
        return shown + (f" and {len(self.searched) - 8} more" if len(self.searched) > 8 else "")

    def select(self, keep: Callable[[str, Path], bool]) -> "ImageIndex":
        """Return the index of the files for which ``keep`` returns true, given their ID and path."""
        files = {
            name: [path for path in (first, *self.alternatives.get(name, ())) if keep(name, path)]
            for name, first in self.images.items()
        }
        return _index_files({name: paths for name, paths in files.items() if paths}, self)


def _index_files(files: Mapping[str, Sequence[Path]], base: ImageIndex) -> ImageIndex:
    images = {name: paths[0] for name, paths in files.items()}
    alternatives = {name: tuple(paths[1:]) for name, paths in files.items() if len(paths) > 1}
    return replace(base, images=images, alternatives=alternatives)


def find_images(root: Path, *, id_pattern: re.Pattern[str] = ANY_ID, depth: int = 2) -> ImageIndex:
    """Find the image files in ``root`` and ``depth`` levels of subdirectories.

    Directories of masks, superpixels and ground truth, and those that LesionLens wrote, are skipped. A file is included
    if its stem fully matches ``id_pattern``. Files with the same ID are all included, those of ``root`` first.
    """
    walk = FolderWalk(root, depth=depth)
    files: dict[str, list[Path]] = {}
    searched: list[Path] = []
    for folder, names in walk:
        searched.append(folder)
        for name in names:
            stem = os.path.splitext(name)[0]
            if id_pattern.fullmatch(stem):
                files.setdefault(stem, []).append(folder / name)
    return _index_files(files, ImageIndex({}, tuple(searched), skipped=dict(walk.skipped)))


def check_alternatives(index: ImageIndex, ids: Iterable[str], issues: IssueCollector) -> None:
    """Check that the first file of each ID is the one that a row means.

    Identical files are a warning. A file in the first directory that was searched, next to the table, is preferred to
    others below it, with a warning. All other files of the same ID are an error.
    """
    root = index.searched[0]
    for name in ids:
        first = index.images[name]
        for other in index.alternatives.get(name, ()):
            pair = [f"{first} and {other}"]
            if filecmp.cmp(first, other, shallow=False):
                issues.add_warning("identical image files", pair, hint="The first of each pair is used.")
            elif first.parent == root != other.parent:
                issues.add_warning(
                    "other images with the same id in subfolders",
                    pair,
                    hint="The first of each pair, next to the table, is used.",
                )
            else:
                issues.add_error(
                    "different images with the same id",
                    pair,
                    hint="Remove the wrong file of each pair, or write the path of the right one in the table.",
                )


def find_masks(*folders: Path) -> dict[str, Path]:
    """Return mask files by image ID: ``ID_SUFFIX.png`` with one of ``_MASK_SUFFIXES``, or ``ID.png``.

    Of several files of an image, the first suffix in this order takes precedence. A JPEG without a mask suffix is an
    image, not a mask.
    """
    suffixed: dict[str, tuple[int, Path]] = {}
    unsuffixed: dict[str, Path] = {}
    for folder in folders:
        for name in image_names_in(folder) if folder.is_dir() else ():
            stem, path = os.path.splitext(name)[0], folder / name
            if match := _MASK_STEM.fullmatch(stem):
                rank = _MASK_SUFFIXES.index(match["suffix"].lower())
                suffixed[match["id"]] = min(suffixed.get(match["id"], (rank, path)), (rank, path), key=_rank)
            elif not _is_jpeg(path):
                unsuffixed.setdefault(stem, path)
    return unsuffixed | {image_id: path for image_id, (_, path) in suffixed.items()}


def _rank(ranked: tuple[int, Path]) -> int:
    return ranked[0]


def masked_image_id(stem: str) -> str:
    """Return the image ID in the name of a mask file, without extension; ``""`` if it has no mask suffix.

    Examples
    --------
    >>> masked_image_id("a_1_mask"), masked_image_id("a_1")
    ('a_1', '')
    """
    match = _MASK_STEM.fullmatch(stem)
    return match["id"] if match else ""


def find_by_pattern(pattern: re.Pattern[str], *folders: Path) -> dict[str, list[Path]]:
    """Return the files whose name fully matches a pattern, sorted by name, by the group ``id`` of the pattern."""
    files: dict[str, list[Path]] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if match := pattern.fullmatch(name):
                files.setdefault(match["id"], []).append(folder / name)
    return files


def unique_ids(names: pd.Series) -> pd.Series:
    """Return file names without extension as IDs; names that would become equal keep their extension.

    Examples
    --------
    >>> unique_ids(pd.Series(["a.jpg", "b.png"])).tolist(), unique_ids(pd.Series(["a.jpg", "a.png", "c"])).tolist()
    (['a', 'b'], ['a.jpg', 'a.png', 'c'])
    """
    stripped = names.map(strip_image_suffix)
    distinct = pd.DataFrame({"stem": stripped, "name": names}).drop_duplicates()
    repeated = set(distinct["stem"][distinct["stem"].duplicated()])
    return stripped.where(~stripped.isin(repeated), names)


def unique_stems(file_names: pd.Series) -> pd.Series:
    """Return file names without directory and extension as IDs; with directories if the names are not unique."""
    names = file_names.map(lambda cell: PurePosixPath(cell).name)
    repeated = pd.DataFrame({"name": names, "path": file_names}).drop_duplicates()["name"].duplicated().any()
    return unique_ids(file_names if repeated else names)


def image_names_in(folder: Path) -> list[str]:
    """Return the names of the files with an image extension, sorted, without hidden files (``._ISIC_1.jpg``)."""
    return [
        name
        for name in sorted(os.listdir(folder))
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
    ]
