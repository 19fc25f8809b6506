"""Attention weights of the crops of images, next to the fraction of each crop that is inside the lesion.

Gessert et al. 2019, section III and Fig. 4: crops with the lesion or a part of it have a higher weight, wherever the
lesion is in the image. The measure is ours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ModelError
from lesionlens.core.types import FloatArray
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.explain import compute_maps
from lesionlens.explanation.localization import iter_masked_images
from lesionlens.imaging.boxes import CropBox, lesion_bounding_box
from lesionlens.models.saved_model import LoadedModel


class CropWeight(NamedTuple):
    """Weight of one crop of an image.

    Attributes
    ----------
    image_id, lesion_id
        Image and its lesion.
    position
        Index of the crop in the image.
    crop_weight
        Attention weight, as the network computes it.
    lesion_fraction
        Fraction of the crop inside the lesion mask.
    """

    image_id: str
    lesion_id: str
    position: int
    crop_weight: float
    lesion_fraction: float


def lesion_fractions(mask: NDArray[np.uint8], boxes: Sequence[CropBox]) -> FloatArray:
    """Return the fraction of each crop inside a lesion mask (h, w).

    Examples
    --------
    >>> mask = np.array([[0, 0, 0, 0], [0, 0, 255, 255]], np.uint8)
    >>> lesion_fractions(mask, [CropBox(0, 0, 2, 2), CropBox(0, 2, 2, 2)]).tolist()
    [0.0, 0.5]
    """
    return np.array([(mask[box.slices()] != 0).mean() for box in boxes])


def measure_crop_weights(
    loaded: LoadedModel, table: LesionTable, *, map_name: str, mask_dir: Path | None = None
) -> list[CropWeight]:
    """Compute the weights of all test crops of every image that has a lesion mask.

    Parameters
    ----------
    loaded
        Network of crops, with its card.
    table
        Images with their lesion ids and masks.
    map_name
        ``initial-crops`` or ``end-crops``.
    mask_dir
        Directory of masks that replace those of the table.

    Raises
    ------
    DataError
        A mask does not match its image, or no image has a mask.
    ModelError
        The network has no such weights.
    """
    weights: list[CropWeight] = []
    for image_id, lesion_id, image, mask in iter_masked_images(loaded, table, mask_dir):
        values, fractions = _image_weights(loaded, image, mask, map_name)
        weights += [
            CropWeight(image_id, lesion_id, position, float(weight), float(fraction))
            for position, (weight, fraction) in enumerate(zip(values, fractions, strict=True))
        ]
    return weights


def _image_weights(
    loaded: LoadedModel, image: NDArray[np.uint8], mask: NDArray[np.uint8], map_name: str
) -> tuple[FloatArray, FloatArray]:
    """Return the weight and the lesion fraction of each crop of an image, (n,) each."""
    preprocessing = loaded.card.preprocessing
    region = None if preprocessing.roi_margin is None else lesion_bounding_box(mask, preprocessing.roi_margin)
    crops = preprocessing.prepare_input(image, region).to(next(loaded.model.parameters()).device)
    maps = compute_maps(loaded.model, crops, methods=["attention"])
    if map_name not in maps or maps[map_name].ndim != 1:
        names = [name for name, values in maps.items() if values.ndim == 1]
        raise ModelError(
            f"this network has no weights {map_name} of crops; it has {', '.join(names) or 'none'}"
        )
    boxes = preprocessing.crop_boxes(image.shape[0], image.shape[1], region)
    return np.asarray(maps[map_name].cpu().numpy(), dtype=np.float64), lesion_fractions(mask, boxes)
