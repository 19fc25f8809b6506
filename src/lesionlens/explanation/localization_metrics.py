"""Localization metrics of a map against a lesion mask: IoU, area under the IoU curve, and pointing games.

These are functions of arrays of the same size; ``localization`` resizes maps to the pixels of images.
"""

from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.explanation.overlay import min_max_normalize
from lesionlens.imaging.masks import iou

MAP_THRESHOLD = 0.5  # of ``iou``
MAP_THRESHOLDS = np.linspace(0, 1, 101)


class LocalizationMetrics(NamedTuple):
    """Agreement of one map with one mask, each from 0 to 1.

    Attributes
    ----------
    iou
        Intersection over union of the mask and the pixels where the normalized map is at least 0.5 (Yan 2020, section
        3.2.3).
    iou_auc
        Area under that IoU as a function of the threshold, from 0 to 1, which does not depend on one threshold.
    pointing_game
        1 if the maximum of the map is inside the mask, otherwise 0; if several pixels have the maximum, the fraction of
        them inside (Zhang et al. 2018, "Top-down neural attention by excitation backprop").
    energy_pointing_game
        Fraction of the sum of the normalized map that is inside the mask (Wang et al. 2020, Score-CAM).
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
    """Compute the metrics of a map against a mask of the same size.

    A constant map has an IoU of 0 at threshold 0.5, and both pointing games are the fraction of pixels inside the mask.

    Parameters
    ----------
    values
        Map of any scale, (h, w); it is normalized to [0, 1] over the covered pixels (``min_max_normalize``).
    mask
        True inside the lesion, (h, w).
    coverage
        True where a crop covers the image, (h, w); other pixels are excluded from map and mask. Default: everywhere.

    Raises
    ------
    DataError
        The arrays have different sizes, or no pixel of the mask is covered.
    ModelError
        The map contains values that are not finite.

    Examples
    --------
    >>> mask = np.array([[True, True, False, False]])
    >>> localization_metrics(np.array([[4.0, 1.0, 3.0, 0.0]]), mask)._replace(iou_auc=0)
    LocalizationMetrics(iou=0.3333333333333333, iou_auc=0, pointing_game=1.0, energy_pointing_game=0.625)
    """
    coverage = np.ones(mask.shape, dtype=bool) if coverage is None else coverage
    if not values.shape == mask.shape == coverage.shape:
        raise DataError(
            f"map {values.shape}, mask {mask.shape} and coverage {coverage.shape} must have the same shape"
        )
    inside = mask[coverage]
    if not inside.any():
        raise DataError("no crop covers the mask, so that no map can be compared with it. Exclude the image")
    normalized = min_max_normalize(values, coverage)[coverage]
    return LocalizationMetrics(
        iou=iou(normalized >= MAP_THRESHOLD, inside),
        iou_auc=float(np.trapezoid(_iou_curve(normalized, inside), MAP_THRESHOLDS)),
        pointing_game=float(inside[normalized == normalized.max()].mean()),
        energy_pointing_game=float(
            normalized[inside].sum() / normalized.sum() if normalized.any() else inside.mean()
        ),
    )


def _iou_curve(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the IoU of the mask and the pixels at or above each of ``MAP_THRESHOLDS``."""
    inside, outside = np.sort(values[mask]), np.sort(values[~mask])
    intersection = len(inside) - np.searchsorted(inside, MAP_THRESHOLDS)
    false_positives = len(outside) - np.searchsorted(outside, MAP_THRESHOLDS)
    return np.asarray(intersection / (len(inside) + false_positives))
