"""The masks of a table's images, packed small enough to be kept in memory."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.prefetch import prefetch
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.file_layout import find_masks, lesion_mask_paths
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.boxes import CropBox, lesion_bounding_box
from lesionlens.imaging.masks import ImageSize, load_mask
from lesionlens.imaging.superpixels import union_of_features

MASK_KINDS = ("lesion", "background", "dermoscopic", "artifacts")
ARTIFACT_MASKS_DIR = "artifact_masks"
"""The folder in a data set's own, or beside one's own table, with ``ID.png``: hair, rulers, ink and their like."""

MaskImage = NDArray[np.uint8]
MaskReader = Callable[[int, ImageSize], MaskImage | str]
"""Of the n-th row, at this height and width: the mask, or why there is none."""


def mask_reader(table: LesionTable, kind: str, mask_dir: Path | None = None) -> MaskReader:
    """Give what reads the masks of a kind, as for ``load_masks``.

    Artifacts are read from the folder ``ARTIFACT_MASKS_DIR``. An image of the data set's folder without a file there
    shows none, which is known; of an image that lies elsewhere (of an extra source, say) nothing is known.

    Raises
    ------
    DataError
        An unknown kind, or a folder that is not there.
    """
    if kind == "artifacts":
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
            f"{root} has no folder {ARTIFACT_MASKS_DIR}, which artifact masks are read from: give each image that "
            f"shows hair, a ruler or ink a mask ID.png there, or another kind of mask: {', '.join(MASK_KINDS[:-1])}"
        )
    found, ids, images = find_masks(root / ARTIFACT_MASKS_DIR), list(table.frame["image_id"]), table.paths

    def read(place: int, shape: ImageSize) -> MaskImage | str:
        if (file := found.get(ids[place])) is not None:
            return load_mask(file, shape, image_path=images[place])
        if images[place].resolve().is_relative_to(root):
            return np.zeros(shape, dtype=np.uint8)
        return f"{images[place].name} has no artifact mask"

    return read


class MaskStore:
    """Masks of 0 and 255, (h, w), by position; None where there is none. Kept as compressed bits.

    Parameters
    ----------
    compressed
        What ``compress_mask`` made of each mask, or None.
    shapes
        Height and width of each.
    """

    def __init__(self, compressed: Sequence[bytes | None], shapes: Sequence[ImageSize]) -> None:
        self._compressed, self._shapes = tuple(compressed), tuple(shapes)

    def __len__(self) -> int:
        return len(self._compressed)

    @property
    def has_mask(self) -> NDArray[np.bool_]:
        """Which positions have a mask, (n,)."""
        return np.array([packed is not None for packed in self._compressed])

    def __getitem__(self, index: int) -> MaskImage | None:
        packed, (height, width) = self._compressed[index], self._shapes[index]
        if packed is None:
            return None
        bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), dtype=np.uint8), count=height * width)
        return bits.reshape(height, width) * np.uint8(255)


def compress_mask(mask: MaskImage) -> bytes:
    """Compress where a mask is not 0: about a kilobyte for a lesion of any size."""
    return zlib.compress(np.packbits(mask != 0).tobytes(), level=1)


class LoadedMasks(NamedTuple):
    """Masks row by row, and of each row without one its image's id and the reason."""

    masks: MaskStore
    excluded: tuple[tuple[str, str], ...]


def load_masks(
    table: LesionTable,
    kind: str,
    shapes: Sequence[ImageSize],
    *,
    mask_dir: Path | None = None,
    progress: ProgressCallback | None = None,
) -> LoadedMasks:
    """Read the masks of a table's images, at the images' sizes.

    Parameters
    ----------
    table
        The table.
    kind
        ``lesion``; ``background``, all that is not lesion, of images whose lesion mask is known; ``dermoscopic``, the
        union of annotated structures; ``artifacts``, what covers the skin (see ``mask_reader``); or the path of a
        folder of masks ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.
    shapes
        Height and width of each row's image as it is used.
    mask_dir
        Lesion masks in place of the table's own.
    progress
        Called with masks done and rows in all.

    Returns
    -------
    LoadedMasks
        A lesion mask (or one of a folder) without a single pixel counts as none and is told in ``excluded``; an image
        that was annotated and shows no dermoscopic structure has an empty mask, which is known.

    Raises
    ------
    DataError
        An unknown kind, a folder that is not there, masks that cannot be read or do not fit their image (counted, the
        first few named), or not one image with a mask.
    """
    read = mask_reader(table, kind, mask_dir)
    problems = IssueCollector()
    packed: list[bytes | None] = []
    excluded: list[tuple[str, str]] = []
    found = _read_in_parallel(read, shapes)
    for number, (image_id, mask) in enumerate(zip(table.frame["image_id"], found, strict=True)):
        if isinstance(mask, DataError):
            problems.add_error(
                "masks that cannot be used", [str(mask)], hint="Replace them or take them away."
            )
        packed.append(mask if isinstance(mask, bytes) else None)
        if isinstance(mask, str):
            excluded.append((image_id, mask))
        if progress is not None:
            progress(number + 1, len(shapes))
    problems.raise_errors(f"the {kind} masks")
    if len(excluded) == len(packed):
        raise DataError(
            f"not one of {pluralize(len(packed), 'image')} has a {kind} mask, for example: {excluded[0][1]}"
        )
    return LoadedMasks(MaskStore(packed, shapes), tuple(excluded))


def _read_in_parallel(read: MaskReader, shapes: Sequence[ImageSize]) -> Iterator[bytes | str | DataError]:
    """Read with as many threads as cores, packing at once: full masks of a large set fill no memory."""

    def packed(place: int) -> bytes | str | DataError:
        try:
            mask = read(place, shapes[place])
        except DataError as error:
            return error
        return mask if isinstance(mask, str) else compress_mask(mask)

    return prefetch(packed, range(len(shapes)))


class LesionBoxes(NamedTuple):
    """Boxes row by row, None where the whole image is taken, and of each such row its image's id and the reason."""

    boxes: tuple[CropBox | None, ...]
    excluded: tuple[tuple[str, str], ...]


def load_lesion_boxes(
    table: LesionTable,
    shapes: Sequence[ImageSize],
    margin: float,
    *,
    mask_dir: Path | None = None,
    progress: ProgressCallback | None = None,
) -> LesionBoxes:
    """Give the box around each image's lesion mask, widened by a margin as in ``lesion_bounding_box``.

    Parameters, errors and what counts as no mask are those of ``load_masks``.
    """
    opened = load_masks(table, "lesion", shapes, mask_dir=mask_dir, progress=progress)
    masks = (opened.masks[place] for place in range(len(table)))
    boxes = tuple(None if mask is None else lesion_bounding_box(mask, margin) for mask in masks)
    return LesionBoxes(boxes, opened.excluded)
