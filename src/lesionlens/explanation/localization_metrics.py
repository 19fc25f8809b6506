"""How well a map agrees with a lesion's mask: overlap, area under its curve, pointing, and the share of the map inside.

Pure functions on arrays of one size; how maps come to the image's pixels is told by `evaluate_localization`.
"""

from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.explanation.overlay import min_max_normalize
from lesionlens.imaging.masks import iou

MAP_THRESHOLD = 0.5
MAP_THRESHOLDS = np.linspace(0, 1, 101)


class LocalizationMetrics(NamedTuple):
    """How one map agrees with one mask, each from 0 to 1.

    Attributes
    ----------
    iou
        Overlap of the mask with the places where the rescaled map is at least 0.5 (Yan 2020, section 3.2.3).
    iou_auc
        Area under that overlap over the threshold, from 0 to 1: does not hang on one threshold.
    pointing_game
        1 where the largest value lies in the mask, else 0; of several largest places the share that does (Zhang et
        al. 2018, "Top-down neural attention by excitation backprop").
    energy_pointing_game
        Share of the rescaled map's sum that lies in the mask (Wang et al. 2020, Score-CAM).
    """

    iou: float
    iou_auc: float
    pointing_game: float
    energy_pointing_game: float


def localization_metrics(
    values: FloatArray,
    mask: BoolArray,
    coverage: BoolArray | None = None,
) -> LocalizationMetrics:
    """Measure a map against a mask of the same size.

    A constant map marks nothing: its overlap at 0.5 is 0, and as it prefers no place, its pointing and energy are the
    share of the places that lie in the mask.

    Parameters
    ----------
    values
        The map, (h, w), on any scale: it is rescaled to [0, 1] over the places seen (see `min_max_normalize`).
    mask
        Where the lesion is, (h, w).
    coverage
        Where the network looked, (h, w); other places do not count, in the map or in the mask. None: everywhere.

    Raises
    ------
    DataError
        Arrays of different sizes, or a mask without any place seen.
    ModelError
        A map that is not finite.

    Examples
    --------
    >>> mask = np.array([[True, True, False, False]])
    >>> localization_metrics(np.array([[4.0, 1.0, 3.0, 0.0]]), mask)._replace(iou_auc=0)
    LocalizationMetrics(iou=0.3333333333333333, iou_auc=0, pointing_game=1.0, energy_pointing_game=0.625)
    """
    coverage = np.ones(mask.shape, dtype=bool) if coverage is None else coverage
    if not values.shape == mask.shape == coverage.shape:
        raise DataError(
            f"a map of {values.shape} does not fit a mask of {mask.shape} and places of {coverage.shape}"
        )
    inside = mask[coverage]
    if not inside.any():
        raise DataError("no place of the mask was seen, so no map can agree with it; leave the image out")
    found = min_max_normalize(values, coverage)[coverage]
    return LocalizationMetrics(
        iou=iou(found >= MAP_THRESHOLD, inside),
        iou_auc=float(np.trapezoid(_iou_curve(found, inside), MAP_THRESHOLDS)),
        pointing_game=float(inside[found == found.max()].mean()),
        energy_pointing_game=float(found[inside].sum() / found.sum() if found.any() else inside.mean()),
    )


def _iou_curve(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Give the overlap at each of ``MAP_THRESHOLDS``: marked are the places at or above."""
    within, without = np.sort(values[mask]), np.sort(values[~mask])
    both = len(within) - np.searchsorted(within, MAP_THRESHOLDS)
    wrong = len(without) - np.searchsorted(without, MAP_THRESHOLDS)
    return np.asarray(both / (len(within) + wrong))
