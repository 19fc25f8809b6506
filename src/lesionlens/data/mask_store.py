"""Read the masks of a table's images and store them compressed in memory."""

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
from lesionlens.imaging.masks import ImageSize, load_mask, load_probabilities, read_mask
from lesionlens.imaging.superpixels import union_of_features

MASK_KINDS = ("lesion", "background", "dermoscopic", "artifacts")
ARTIFACT_MASKS_DIR = "artifact_masks"
"""Directory of artifact masks ``ID.png`` (hair, rulers, ink) in a dataset's directory or next to a custom table."""
_GRAY_MARK = b"gray"  # no compressed data begin with this
MaskImage = NDArray[np.uint8]
MaskReader = Callable[[int, ImageSize], MaskImage | str]
"""Function of a row index and an image size that returns the mask, or the reason why there is none."""


class MaskStore:
    """Sequence of masks, uint8 (h, w) from 0 to 255 or None, compressed; binary masks are stored as bits.

    Parameters
    ----------
    compressed
        Mask of each image as compressed by ``compress_mask``; None for images without a mask.
    shapes
        Height and width of each image.
    """

    def __init__(self, compressed: Sequence[bytes | None], shapes: Sequence[ImageSize]) -> None:
        self._compressed, self._shapes = tuple(compressed), tuple(shapes)

    def __len__(self) -> int:
        return len(self._compressed)

    @property
    def has_mask(self) -> NDArray[np.bool_]:
        """Whether each image has a mask, bool (n,)."""
        return np.array([compressed is not None for compressed in self._compressed])

    def __getitem__(self, index: int) -> MaskImage | None:
        compressed, (height, width) = self._compressed[index], self._shapes[index]
        if compressed is None:
            return None
        if compressed.startswith(_GRAY_MARK):
            levels = np.frombuffer(zlib.decompress(compressed[len(_GRAY_MARK) :]), dtype=np.uint8)
            return levels.reshape(height, width).copy()
        bits = np.unpackbits(np.frombuffer(zlib.decompress(compressed), dtype=np.uint8), count=height * width)
        return bits.reshape(height, width) * np.uint8(255)


def compress_mask(mask: MaskImage) -> bytes:
    """Compress a mask: about one kilobyte for a binary one of a lesion of any size; probabilities as bytes."""
    if ((mask != 0) & (mask != 255)).any():
        return _GRAY_MARK + zlib.compress(mask.tobytes(), level=1)
    return zlib.compress(np.packbits(mask != 0).tobytes(), level=1)


class LoadedMasks(NamedTuple):
    """Masks of a table's rows.

    Attributes
    ----------
    masks
        Mask of each row, or None.
    excluded
        Image id and reason for each row without a mask.
    """

    masks: MaskStore
    excluded: tuple[tuple[str, str], ...]


def load_masks(
    table: LesionTable,
    kind: str,
    shapes: Sequence[ImageSize],
    *,
    mask_dir: Path | None = None,
    probabilities: bool = False,
    progress: ProgressCallback | None = None,
) -> LoadedMasks:
    """Load the masks of a table's images, resized to the images.

    Parameters
    ----------
    table
        Table of images.
    kind
        ``lesion``: lesion masks. ``background``: complement of the lesion masks. ``dermoscopic``: union of the
        annotated structures. ``artifacts``: hair, rulers and other artifacts (see ``mask_reader``). Or the path of a
        directory of masks ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.
    shapes
        Height and width of each row's cached image.
    mask_dir
        Directory of lesion masks that replace those of the table.
    probabilities
        Whether gray masks of a directory are probabilities, as for ``load_probabilities``, instead of binary masks.
    progress
        Called with the number of finished rows and of all rows.

    Returns
    -------
    LoadedMasks
        An empty lesion mask (or mask of a directory) counts as missing and is listed in ``excluded``. An annotated
        image without dermoscopic structures has an empty mask, which is not missing.

    Raises
    ------
    DataError
        An unknown kind, a directory that does not exist, masks that cannot be read or do not fit their image (the
        message has their number and the first few names), or no image with a mask.
    """
    read = mask_reader(table, kind, mask_dir, probabilities=probabilities)
    issues = IssueCollector()
    masks: list[bytes | None] = []
    excluded: list[tuple[str, str]] = []
    results = _read_compressed(read, shapes)
    for number, (image_id, mask) in enumerate(zip(table.frame["image_id"], results, strict=True)):
        if isinstance(mask, DataError):
            issues.add_error("masks that cannot be used", [str(mask)], hint="Replace or remove them.")
        masks.append(mask if isinstance(mask, bytes) else None)
        if isinstance(mask, str):
            excluded.append((image_id, mask))
        if progress is not None:
            progress(number + 1, len(shapes))
    issues.raise_errors(f"the {kind} masks")
    if len(excluded) == len(masks):
        raise DataError(
            f"none of {pluralize(len(masks), 'image')} has a {kind} mask, for example: {excluded[0][1]}"
        )
    return LoadedMasks(MaskStore(masks, shapes), tuple(excluded))


def _read_compressed(read: MaskReader, shapes: Sequence[ImageSize]) -> Iterator[bytes | str | DataError]:
    """Read and compress masks in threads, so that uncompressed masks do not accumulate in memory."""

    def read_row(index: int) -> bytes | str | DataError:
        try:
            mask = read(index, shapes[index])
        except DataError as error:
            return error
        return mask if isinstance(mask, str) else compress_mask(mask)

    return prefetch(read_row, range(len(shapes)))


def check_masks(paths: Sequence[Path]) -> None:
    """Read lesion masks that are needed later.

    Raises
    ------
    DataError
        Masks are damaged or ambiguous (see ``read_mask``); the message has their number and the first few names.
    """
    issues = IssueCollector()
    errors = filter(None, prefetch(_mask_error, paths))
    issues.add_error("masks that cannot be used", errors, hint="Replace or remove them.")
    issues.raise_errors("the lesion masks")


def _mask_error(path: Path) -> str:
    try:
        read_mask(path)
    except DataError as error:
        return str(error)
    return ""


class LesionBoxes(NamedTuple):
    """Boxes around the lesions of a table's images.

    Attributes
    ----------
    boxes
        Box of each row; None for the full image.
    excluded
        Image id and reason for each row without a box.
    """

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
    """Return the bounding box of each image's lesion mask, expanded by a margin as in ``lesion_bounding_box``.

    The other parameters, the errors and the treatment of empty masks are those of ``load_masks``.
    """
    loaded = load_masks(table, "lesion", shapes, mask_dir=mask_dir, progress=progress)
    masks = (loaded.masks[index] for index in range(len(table)))
    boxes = tuple(None if mask is None else lesion_bounding_box(mask, margin) for mask in masks)
    return LesionBoxes(boxes, loaded.excluded)


def mask_reader(
    table: LesionTable, kind: str, mask_dir: Path | None = None, *, probabilities: bool = False
) -> MaskReader:
    """Return a function that reads masks of one kind; see ``load_masks`` for the parameters.

    Artifact masks are read from the directory ``ARTIFACT_MASKS_DIR``. An image inside the dataset's directory without
    such a file has an empty mask (no artifact); an image elsewhere, such as one of an extra source, has no mask.

    Raises
    ------
    DataError
        An unknown kind, or a directory that does not exist.
    """
    if kind == "artifacts":
        return _artifact_mask_reader(table)
    if kind == "dermoscopic":
        return _dermoscopic_mask_reader(table)
    if kind in MASK_KINDS:
        load = load_probabilities if probabilities and mask_dir else load_mask
        read = _file_mask_reader(table, lesion_mask_paths(table, mask_dir), load)
        return read if kind == "lesion" else _inverted_mask_reader(read)
    if not Path(kind).expanduser().is_dir():
        raise DataError(
            f"{unknown_name_message('kind of mask', kind, MASK_KINDS)}, or a directory of masks; there is no directory "
            f"{kind}"
        )
    load = load_probabilities if probabilities else load_mask
    return _file_mask_reader(table, lesion_mask_paths(table, Path(kind)), load)


def _file_mask_reader(
    table: LesionTable, mask_paths: Sequence[Path | None], load: Callable[..., MaskImage]
) -> MaskReader:
    images = table.paths

    def read(index: int, shape: ImageSize) -> MaskImage | str:
        mask_path = mask_paths[index]
        if mask_path is None:
            return f"{images[index].name} has no mask"
        mask = load(mask_path, shape, image_path=images[index])
        return mask if mask.any() else f"the mask {mask_path} is empty"

    return read


def _inverted_mask_reader(read: MaskReader) -> MaskReader:
    def read_inverted(index: int, shape: ImageSize) -> MaskImage | str:
        mask = read(index, shape)
        return mask if isinstance(mask, str) else 255 - mask

    return read_inverted


def _dermoscopic_mask_reader(table: LesionTable) -> MaskReader:
    feature_paths, images = list(table.frame["feature_mask_paths"]), table.paths

    def read(index: int, shape: ImageSize) -> MaskImage | str:
        mask = union_of_features(feature_paths[index], shape)
        return f"{images[index].name} has no annotated structures" if mask is None else mask

    return read


def _artifact_mask_reader(table: LesionTable) -> MaskReader:
    root = (table.root if table.root.is_dir() else table.root.parent).expanduser().resolve()
    if not (root / ARTIFACT_MASKS_DIR).is_dir():
        raise DataError(
            f"{root} has no directory {ARTIFACT_MASKS_DIR} with artifact masks. Create it with a mask ID.png for each "
            f"image that shows hair, a ruler or ink, or use another kind of mask: {', '.join(MASK_KINDS[:-1])}"
        )
    mask_paths, ids, images = (
        find_masks(root / ARTIFACT_MASKS_DIR),
        list(table.frame["image_id"]),
        table.paths,
    )

    def read(index: int, shape: ImageSize) -> MaskImage | str:
        if (mask_path := mask_paths.get(ids[index])) is not None:
            return load_mask(mask_path, shape, image_path=images[index])
        if images[index].resolve().is_relative_to(root):
            return np.zeros(shape, dtype=np.uint8)
        return f"{images[index].name} has no artifact mask"

    return read
