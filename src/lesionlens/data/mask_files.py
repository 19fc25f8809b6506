"""Where the masks of a table's images lie, and how each kind is read."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.fitted_mask import Shape, fitted_mask
from lesionlens.data.layout import find_masks
from lesionlens.data.superpixels import dermoscopic_mask
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, unknown

KINDS = ("lesion", "background", "dermoscopic", "artefacts")
ARTEFACTS = "artefact_masks"
"""The folder in a data set's own, or beside one's own table, with ``ID.png``: hair, rulers, ink and their like."""

Mask = NDArray[np.uint8]
Read = Callable[[int, Shape], Mask | str]
"""Of the n-th row, at this height and width: the mask, or why there is none."""


def reader(rows: LesionTable, kind: str, folder: Path | None = None) -> Read:
    """Give what reads the masks of a kind, as for ``open_masks``.

    Artefacts are read from the folder ``ARTEFACTS``. An image of the data set's folder without a file there shows none,
    which is known; of an image that lies elsewhere (of an extra source, say) nothing is known.

    Raises
    ------
    DataError
        An unknown kind, or a folder that is not there.
    """
    if kind == "artefacts":
        return _artefacts(rows)
    if kind == "dermoscopic":
        return _dermoscopic(rows)
    if kind in KINDS:
        read = _from_files(rows, lesion_masks(rows, folder))
        return read if kind == "lesion" else _inverse(read)
    if not Path(kind).expanduser().is_dir():
        raise DataError(
            f"{unknown('kind of mask', kind, KINDS)}, or a folder of masks; there is no folder {kind}"
        )
    return _from_files(rows, lesion_masks(rows, Path(kind)))


def lesion_masks(rows: LesionTable, folder: Path | None = None) -> tuple[Path | None, ...]:
    """Give the file of each row's lesion mask: the table's own, or what lies in the folder (see ``masks_in``)."""
    if folder is not None:
        return masks_in(folder, rows.frame["image_id"])
    return tuple(Path(path) if path else None for path in rows.frame["mask_path"])


def masks_in(folder: Path, image_ids: Iterable[str]) -> tuple[Path | None, ...]:
    """Find each image's mask in a folder: ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.

    Raises
    ------
    DataError
        There is no such folder.
    """
    if not folder.expanduser().is_dir():
        raise DataError(
            f"there is no folder of masks {folder}; give one that is there, or draw them: lesionlens segment predict "
            f"RUN IMAGES -o {folder}"
        )
    found = find_masks(folder.expanduser())
    return tuple(found.get(image_id) for image_id in image_ids)


def _from_files(rows: LesionTable, files: Sequence[Path | None]) -> Read:
    images = rows.paths

    def read(place: int, shape: Shape) -> Mask | str:
        file = files[place]
        if file is None:
            return f"{images[place].name} has no mask"
        mask = fitted_mask(file, shape, image=images[place])
        return mask if mask.any() else f"the mask {file} is empty"

    return read


def _inverse(read: Read) -> Read:
    def inverse(place: int, shape: Shape) -> Mask | str:
        mask = read(place, shape)
        return mask if isinstance(mask, str) else 255 - mask

    return inverse


def _dermoscopic(rows: LesionTable) -> Read:
    cells, images = list(rows.frame["feature_mask_paths"]), rows.paths

    def read(place: int, shape: Shape) -> Mask | str:
        mask = dermoscopic_mask(cells[place], shape)
        return f"no structures of {images[place].name} were annotated" if mask is None else mask

    return read


def _artefacts(rows: LesionTable) -> Read:
    root = (rows.root if rows.root.is_dir() else rows.root.parent).expanduser().resolve()
    if not (root / ARTEFACTS).is_dir():
        raise DataError(
            f"{root} has no folder {ARTEFACTS}, which artefact masks are read from: give each image that shows hair, a "
            f"ruler or ink a mask ID.png there, or another kind of mask: {', '.join(KINDS[:-1])}"
        )
    found, ids, images = find_masks(root / ARTEFACTS), list(rows.frame["image_id"]), rows.paths

    def read(place: int, shape: Shape) -> Mask | str:
        if (file := found.get(ids[place])) is not None:
            return fitted_mask(file, shape, image=images[place])
        if images[place].resolve().is_relative_to(root):
            return np.zeros(shape, dtype=np.uint8)
        return f"{images[place].name} has no artefact mask"

    return read
