"""The masks of a table's images, packed small enough to be kept in memory."""

import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.fitted_mask import ImageSize
from lesionlens.data.mask_files import MaskImage, MaskReader, mask_reader
from lesionlens.data.problems import IssueCollector, pluralize
from lesionlens.data.store import ProgressCallback
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


class MaskStore:
    """Masks of 0 and 255, (h, w), by position; None where there is none. Kept as compressed bits.

    Parameters
    ----------
    compressed
        What ``pack`` made of each mask, or None.
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
        union of annotated structures; ``artefacts``, what covers the skin (see ``mask_files.reader``); or the path of a
        folder of masks ``ID.png``, ``ID_mask.png`` or ``ID_segmentation.png``.
    shapes
        Height and width of each row's image as it is used.
    mask_dir
        Lesion masks in place of the table's own.
    progress
        Called with masks done and rows in all.

    Returns
    -------
    OpenedMasks
        A lesion mask (or one of a folder) without a single pixel counts as none and is told in ``left_out``; an image
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
    left_out: list[tuple[str, str]] = []
    found = _read_in_parallel(read, shapes)
    for number, (image_id, mask) in enumerate(zip(table.frame["image_id"], found, strict=True)):
        if isinstance(mask, DataError):
            problems.add_error("masks that cannot be used", [str(mask)], hint="Replace them or take them away.")
        packed.append(mask if isinstance(mask, bytes) else None)
        if isinstance(mask, str):
            left_out.append((image_id, mask))
        if progress is not None:
            progress(number + 1, len(shapes))
    problems.raise_errors(f"the {kind} masks")
    if len(left_out) == len(packed):
        raise DataError(
            f"not one of {pluralize(len(packed), 'image')} has a {kind} mask, for example: {left_out[0][1]}"
        )
    return LoadedMasks(MaskStore(packed, shapes), tuple(left_out))


def _read_in_parallel(read: MaskReader, shapes: Sequence[ImageSize]) -> Iterator[bytes | str | DataError]:
    """Read with as many threads as cores, packing at once: full masks of a large set fill no memory."""

    def packed(place: int) -> bytes | str | DataError:
        try:
            mask = read(place, shapes[place])
        except DataError as error:
            return error
        return mask if isinstance(mask, str) else compress_mask(mask)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(packed, range(len(shapes)))
