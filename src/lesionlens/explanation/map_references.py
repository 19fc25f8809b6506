"""Find and load what the maps of a table's images are compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.data.mask_store import ARTIFACT_MASKS_DIR
from lesionlens.datasets.file_layout import find_masks, find_masks_in, lesion_mask_paths
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.map_metrics import LoadedReferences
from lesionlens.imaging.float_maps import FLOAT_MAP_SUFFIXES, read_fixations, read_float_map
from lesionlens.imaging.masks import load_mask


class ReferenceFolders(NamedTuple):
    """Directories of references with a file for each image; None: what the dataset has, or nothing.

    Attributes
    ----------
    lesion_masks
        Lesion masks that replace those of the table.
    artifact_masks
        Masks of artifacts; default: ``artifact_masks`` of the dataset, if it exists.
    densities
        Continuous maps ``ID.png`` or ``ID.npy``, as for ``read_float_map``.
    fixations
        Maps of fixation points ``ID.png`` or ``ID.npy``, as for ``read_fixations``.
    """

    lesion_masks: Path | None = None
    artifact_masks: Path | None = None
    densities: Path | None = None
    fixations: Path | None = None


class ReferencePaths(NamedTuple):
    """Files of one image's references; None where there is none."""

    lesion_mask: Path | None = None
    artifact_mask: Path | None = None
    density: Path | None = None
    fixations: Path | None = None

    def load(
        self, lesion: NDArray[np.uint8] | None, size: tuple[int, int], *, image_path: Path
    ) -> LoadedReferences:
        """Load all references but the lesion mask, which is passed, (h, w), and resize them to the image.

        Raises
        ------
        DataError
            A file cannot be used.
        """
        artifacts = self.artifact_mask
        return LoadedReferences(
            None if lesion is None else lesion != 0,
            None if artifacts is None else load_mask(artifacts, size, image_path=image_path) != 0,
            None if self.density is None else read_float_map(self.density, size),
            None if self.fixations is None else read_fixations(self.fixations, size),
        )

    @property
    def has_more_than_lesion(self) -> bool:
        """Whether there is a reference other than the lesion mask."""
        return any(path is not None for path in self[1:])


def find_references(table: LesionTable, folders: ReferenceFolders) -> list[ReferencePaths]:
    """Return the files of each row's references.

    Raises
    ------
    DataError
        A folder does not exist or has no file of any image, or an image has two files.
    """
    ids = table.frame["image_id"].astype(str).tolist()
    columns = (
        lesion_mask_paths(table, folders.lesion_masks),
        _artifact_masks(table, ids, folders.artifact_masks),
        _float_maps(folders.densities, ids),
        _float_maps(folders.fixations, ids),
    )
    return [ReferencePaths(*paths) for paths in zip(*columns, strict=True)]


def _artifact_masks(table: LesionTable, ids: Sequence[str], folder: Path | None) -> Sequence[Path | None]:
    if folder is not None:
        return find_masks_in(folder, ids)
    own = (table.root if table.root.is_dir() else table.root.parent) / ARTIFACT_MASKS_DIR
    masks = find_masks(own) if own.is_dir() else {}
    return [masks.get(image_id) for image_id in ids]


def _float_maps(folder: Path | None, ids: Sequence[str]) -> Sequence[Path | None]:
    if folder is None:
        return [None] * len(ids)
    if not folder.expanduser().is_dir():
        raise DataError(
            f"there is no folder of maps {folder}; name a folder with a file ID.png or ID.npy for each image"
        )
    paths = [_float_map(folder.expanduser(), image_id) for image_id in ids]
    if not any(paths):
        raise DataError(
            f"no map in {folder} belongs to an image: searched for {ids[0]}.png and {ids[0]}.npy. Rename the maps"
        )
    return paths


def _float_map(folder: Path, image_id: str) -> Path | None:
    files = [path for suffix in FLOAT_MAP_SUFFIXES if (path := folder / f"{image_id}{suffix}").is_file()]
    if len(files) > 1:
        raise DataError(
            f"{folder} has two maps of image {image_id}: {files[0].name} and {files[1].name}. Remove one"
        )
    return files[0] if files else None
