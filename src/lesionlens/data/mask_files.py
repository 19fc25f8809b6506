"""Where the masks of a table's images lie, and how each kind is read."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.fitted_mask import ImageSize, load_mask
from lesionlens.data.layout import find_masks
from lesionlens.data.superpixels import union_of_features
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, unknown_name_message

MASK_KINDS = ("lesion", "background", "dermoscopic", "artefacts")
ARTIFACT_MASKS_DIR = "artefact_masks"
"""The folder in a data set's own, or beside one's own table, with ``ID.png``: hair, rulers, ink and their like."""

MaskImage = NDArray[np.uint8]
MaskReader = Callable[[int, ImageSize], MaskImage | str]
"""Of the n-th row, at this height and width: the mask, or why there is none."""


def mask_reader(table: LesionTable, kind: str, mask_dir: Path | None = None) -> MaskReader:
    """Give what reads the masks of a kind, as for ``open_masks``.

    Artefacts are read from the folder ``ARTEFACTS``. An image of the data set's folder without a file there shows none,
    which is known; of an image that lies elsewhere (of an extra source, say) nothing is known.

    Raises
    ------
    DataError
        An unknown kind, or a folder that is not there.
    """
    if kind == "artefacts":
        return _artifact_mask_reader(table)
    if kind == "dermoscopic":
        return _dermoscopic_mask_reader(table)
    if kind in MASK_KINDS:
        read = _file_mask_reader(table, lesion_mask_paths(table, mask_dir))
        return read if kind == "lesion" else _inverted_mask_reader(read)
    if not Path(kind).expanduser().is_dir():
        raise DataError(
            f"{unknown_name_message('kind of mask', kind, MASK_KINDS)}, or a folder of masks; there is no folder {kind}"
        )
    return _file_mask_reader(table, lesion_mask_paths(table, Path(kind)))


def lesion_mask_paths(table: LesionTable, mask_dir: Path | None = None) -> tuple[Path | None, ...]:
    """Give the file of each row's lesion mask: the table's own, or what lies in the folder (see ``masks_in``)."""
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


def _file_mask_reader(table: LesionTable, mask_paths: Sequence[Path | None]) -> MaskReader:
    images = table.paths

    def read(place: int, shape: ImageSize) -> MaskImage | str:
        file = mask_paths[place]
        if file is None:
            return f"{images[place].name} has no mask"
        mask = load_mask(file, shape, image_path=images[place])
        return mask if mask.any() else f"the mask {file} is empty"

    return read


def _inverted_mask_reader(read: MaskReader) -> MaskReader:
    def inverse(place: int, shape: ImageSize) -> MaskImage | str:
        mask = read(place, shape)
        return mask if isinstance(mask, str) else 255 - mask

    return inverse


def _dermoscopic_mask_reader(table: LesionTable) -> MaskReader:
    cells, images = list(table.frame["feature_mask_paths"]), table.paths

    def read(place: int, shape: ImageSize) -> MaskImage | str:
        mask = union_of_features(cells[place], shape)
        return f"no structures of {images[place].name} were annotated" if mask is None else mask

    return read


def _artifact_mask_reader(table: LesionTable) -> MaskReader:
    root = (table.root if table.root.is_dir() else table.root.parent).expanduser().resolve()
    if not (root / ARTIFACT_MASKS_DIR).is_dir():
        raise DataError(
            f"{root} has no folder {ARTIFACT_MASKS_DIR}, which artefact masks are read from: give each image that shows hair, a "
            f"ruler or ink a mask ID.png there, or another kind of mask: {', '.join(MASK_KINDS[:-1])}"
        )
    found, ids, images = find_masks(root / ARTIFACT_MASKS_DIR), list(table.frame["image_id"]), table.paths

    def read(place: int, shape: ImageSize) -> MaskImage | str:
        if (file := found.get(ids[place])) is not None:
            return load_mask(file, shape, image_path=images[place])
        if images[place].resolve().is_relative_to(root):
            return np.zeros(shape, dtype=np.uint8)
        return f"{images[place].name} has no artefact mask"

    return read
