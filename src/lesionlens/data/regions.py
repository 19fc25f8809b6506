"""The boxes around the lesions of a table's images."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionlens.crops.box import Box
from lesionlens.crops.roi import lesion_box
from lesionlens.data.fitted_mask import Shape
from lesionlens.data.masks import open_masks
from lesionlens.data.store import Progress
from lesionlens.data.table import LesionTable


class OpenedRegions(NamedTuple):
    """Boxes row by row, None where the whole image is taken, and of each such row its image's id and the reason."""

    regions: tuple[Box | None, ...]
    left_out: tuple[tuple[str, str], ...]


def open_regions(
    rows: LesionTable,
    shapes: Sequence[Shape],
    margin: float,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> OpenedRegions:
    """Give the box around each image's lesion mask, widened by a margin as in ``lesion_box``.

    Parameters, errors and what counts as no mask are those of ``open_masks``.
    """
    opened = open_masks(rows, "lesion", shapes, folder=folder, progress=progress)
    masks = (opened.masks[place] for place in range(len(rows)))
    boxes = tuple(None if mask is None else lesion_box(mask, margin) for mask in masks)
    return OpenedRegions(boxes, opened.left_out)
