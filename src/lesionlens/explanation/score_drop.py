"""How much of a model score the pixels carry that a map marks most: one number for one map of one image."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from lesionlens.explanation.cell_positions import CellGrids
from lesionlens.explanation.map_controls import CENTER, centered_gaussian
from lesionlens.explanation.perturbation import blur_crops, crop_values, pixel_ranks, replace_pixels
from lesionlens.explanation.perturbation_curves import class_scorer
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.stitching import resize_map
from lesionlens.models.saved_model import LoadedModel

REMOVED_FRACTION = 0.2  # of the pixels


class ScoreDrop(NamedTuple):
    """Model score of a class for an image, and without the pixels that a map marks most."""

    score: float
    without: float

    def __str__(self) -> str:
        return f"{self.score:.2f} → {self.without:.2f}"


def compute_score_drops(
    loaded: LoadedModel,
    crops: Float[Tensor, "n 3 h w"],
    maps: Mapping[str, Float[Tensor, "n ..."]],
    grids: CellGrids,
    boxes: Sequence[CropBox],
    size: tuple[int, int],
    target_index: int,
) -> dict[str, ScoreDrop]:
    """Return the score of a class without the 20 % of pixels that each map marks most, which are blurred.

    The pixels of all crops are ranked together, and a control map is measured with them: a centered Gaussian, which
    knows nothing about the network. If the drop of a map is not larger than that of the control, the map shows
    nothing but the center of the image.

    Parameters
    ----------
    loaded
        Model with its card.
    crops
        Preprocessed test crops of the image.
    maps
        Maps of the crops by name, from ``compute_maps``; weights of crops and maps of heads are skipped.
    grids
        Positions of the cells of the maps, from ``cell_grids``.
    boxes, size
        Box of each crop, and the size of the image to which the boxes refer.
    target_index
        Index of the class.

    Returns
    -------
    dict
        Drop by name of the map, and of the control; empty without a spatial map.
    """
    crop_size = (crops.shape[-2], crops.shape[-1])
    spatial = {name: _resize(values, crop_size, grids) for name, values in maps.items() if values.ndim == 3}
    if not spatial:
        return {}
    spatial[CENTER] = crop_values(centered_gaussian(_covered(boxes, size)), boxes, crop_size)
    tie_break = np.random.default_rng(0).random(next(iter(spatial.values())).shape)
    blurred, fraction = blur_crops(crops), np.array([REMOVED_FRACTION])
    versions = [crops[None]]
    versions += [
        replace_pixels(crops, blurred, pixel_ranks(values, tie_break), fraction)
        for values in spatial.values()
    ]
    score, *without = class_scorer(loaded, target_index)(torch.cat(versions)).tolist()
    return {name: ScoreDrop(score, value) for name, value in zip(spatial, without, strict=True)}


def _resize(values: Tensor, size: tuple[int, int], grids: CellGrids) -> Float[ndarray, "n h w"]:
    grid = grids.get((values.shape[-2], values.shape[-1]))
    return np.stack([resize_map(crop, size, grid) for crop in values.cpu().numpy()]).astype(np.float64)


def _covered(boxes: Sequence[CropBox], size: tuple[int, int]) -> ndarray:
    """Return the pixels of the image that are in a crop, (h, w)."""
    covered = np.zeros(size, dtype=np.bool_)
    for top, left, height, width, _ in boxes:
        covered[top : top + height, left : left + width] = True
    return covered
