"""How well a map agrees with a lesion's mask: overlap, area under its curve, pointing, and the share of the map inside.

Pure functions on arrays of one size; how maps come to the image's pixels is told by `attention_quality`.
"""

from typing import NamedTuple

import numpy as np

from lesionlens.errors import DataError
from lesionlens.evaluation.sweep import Bools, Floats
from lesionlens.explanation.render import scaled

THRESHOLD = 0.5
THRESHOLDS = np.linspace(0, 1, 101)


class MapQuality(NamedTuple):
    """How one map agrees with one mask, each from 0 to 1.

    Attributes
    ----------
    jaccard
        Overlap of the mask with the places where the rescaled map is at least 0.5 (Yan 2020, section 3.2.3).
    jaccard_area
        Area under that overlap over the threshold, from 0 to 1: does not hang on one threshold.
    pointing
        1 where the largest value lies in the mask, else 0; of several largest places the share that does (Zhang et
        al. 2018, "Top-down neural attention by excitation backprop").
    energy
        Share of the rescaled map's sum that lies in the mask (Wang et al. 2020, Score-CAM).
    """

    jaccard: float
    jaccard_area: float
    pointing: float
    energy: float


def jaccard(marked: Bools, mask: Bools) -> float:
    """Give intersection over union of two sets of places; the mask is not empty."""
    return float((marked & mask).sum() / (marked | mask).sum())


def map_quality(
    values: Floats,
    mask: Bools,
    seen: Bools | None = None,
) -> MapQuality:
    """Measure a map against a mask of the same size.

    A constant map marks nothing: its overlap at 0.5 is 0, and as it prefers no place, its pointing and energy are the
    share of the places that lie in the mask.

    Parameters
    ----------
    values
        The map, (h, w), on any scale: it is rescaled to [0, 1] over the places seen (see `scaled`).
    mask
        Where the lesion is, (h, w).
    seen
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
    >>> map_quality(np.array([[4.0, 1.0, 3.0, 0.0]]), mask)._replace(jaccard_area=0)
    MapQuality(jaccard=0.3333333333333333, jaccard_area=0, pointing=1.0, energy=0.625)
    """
    seen = np.ones(mask.shape, dtype=bool) if seen is None else seen
    if not values.shape == mask.shape == seen.shape:
        raise DataError(
            f"a map of {values.shape} does not fit a mask of {mask.shape} and places of {seen.shape}"
        )
    inside = mask[seen]
    if not inside.any():
        raise DataError("no place of the mask was seen, so no map can agree with it; leave the image out")
    found = scaled(values, seen)[seen]
    return MapQuality(
        jaccard=jaccard(found >= THRESHOLD, inside),
        jaccard_area=float(np.trapezoid(_overlaps(found, inside), THRESHOLDS)),
        pointing=float(inside[found == found.max()].mean()),
        energy=float(found[inside].sum() / found.sum() if found.any() else inside.mean()),
    )


def _overlaps(found: Floats, inside: Bools) -> Floats:
    """Give the overlap at each of ``THRESHOLDS``: marked are the places at or above."""
    within, without = np.sort(found[inside]), np.sort(found[~inside])
    both = len(within) - np.searchsorted(within, THRESHOLDS)
    wrong = len(without) - np.searchsorted(without, THRESHOLDS)
    return np.asarray(both / (len(within) + wrong))
