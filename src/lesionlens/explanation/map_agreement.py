"""Agreement of the maps of two models on the same images, next to the size of the lesion.

Zhang et al. 2019, section V.B, compare class activation maps of two tasks: alike on small lesions, different on large
ones. The measure is ours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError, ModelError
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.explain import resolve_target_class
from lesionlens.explanation.localization import iter_masked_images, stitched_maps
from lesionlens.explanation.map_metrics import correlation_coefficient
from lesionlens.imaging.stitching import StitchedMap
from lesionlens.models.saved_model import LoadedModel


class ImageAgreement(NamedTuple):
    """Agreement of two maps of one image.

    Attributes
    ----------
    image_id, lesion_id
        Image and its lesion.
    lesion_area
        Fraction of the image inside the lesion mask.
    map_agreement
        Pearson's correlation of both maps over the pixels that crops of both models cover; NaN if a map is constant.
    """

    image_id: str
    lesion_id: str
    lesion_area: float
    map_agreement: float


def map_correlation(first: StitchedMap, second: StitchedMap) -> float:
    """Return Pearson's correlation of two maps over the pixels that both cover; NaN if one is constant.

    Raises
    ------
    DataError
        The maps have different sizes.
    """
    if first.values.shape != second.values.shape:
        raise DataError(f"maps of {first.values.shape} and {second.values.shape} pixels cannot be compared")
    both = first.coverage & second.coverage
    values = [stitched.values[both] for stitched in (first, second)]
    if not all(len(pixels) and np.ptp(pixels) for pixels in values):
        return float("nan")
    return correlation_coefficient(values[0], values[1])


def measure_map_agreement(
    models: Sequence[LoadedModel],
    table: LesionTable,
    *,
    method: str,
    map_name: str,
    target_classes: Sequence[str],
    mask_dir: Path | None = None,
) -> list[ImageAgreement]:
    """Compare the maps of two models on every image that has a lesion mask.

    Parameters
    ----------
    models
        Two models that decode images to the same size.
    table
        Images with their lesion ids and masks.
    method, map_name
        Method of explanation, as for ``explain``, and the map that it produces.
    target_classes
        Class of each model that gradient maps and CAM explain.
    mask_dir
        Directory of masks that replace those of the table.

    Raises
    ------
    DataError
        A mask does not match its image, maps differ in size, or no image has a mask.
    ModelError
        A model has no such class or map.
    """
    targets = [
        loaded.card.classes.index(resolve_target_class(name, loaded.card.classes))
        for loaded, name in zip(models, target_classes, strict=True)
    ]
    agreements = []
    for image_id, lesion_id, image, mask in iter_masked_images(models[0], table, mask_dir):
        maps = []
        for loaded, target in zip(models, targets, strict=True):
            by_name = dict(stitched_maps(loaded, image, mask, (method,), target))
            if map_name not in by_name:
                raise ModelError(f"this network has no map {map_name}; it has {', '.join(by_name) or 'none'}")
            maps.append(by_name[map_name])
        agreements.append(
            ImageAgreement(image_id, lesion_id, float((mask != 0).mean()), map_correlation(maps[0], maps[1]))
        )
    return agreements
