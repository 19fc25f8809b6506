"""The boxes around the lesions of a table's images."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionlens.crops.box import CropBox
from lesionlens.crops.roi import lesion_bounding_box
from lesionlens.data.fitted_mask import ImageSize
from lesionlens.data.masks import load_masks
from lesionlens.data.store import ProgressCallback
from lesionlens.data.table import LesionTable


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
    """Give the box around each image's lesion mask, widened by a margin as in ``lesion_box``.

    Parameters, errors and what counts as no mask are those of ``open_masks``.
    """
    opened = load_masks(table, "lesion", shapes, mask_dir=mask_dir, progress=progress)
    masks = (opened.masks[place] for place in range(len(table)))
    boxes = tuple(None if mask is None else lesion_bounding_box(mask, margin) for mask in masks)
    return LesionBoxes(boxes, opened.excluded)
