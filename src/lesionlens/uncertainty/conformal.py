"""Prediction sets by split conformal prediction: sets of classes that contain the true class with a stated frequency.

The score of a class is one minus its model score (LAC: Sadinle et al. 2019, "Least ambiguous set-valued classifiers").
Its guarantee holds for images that are exchangeable with those of the calibration, whatever the model (Vovk et al.
2005, chapter 2): of many new images, at least the stated fraction have their class in the set.
"""

import math

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray, StrArray


def conformal_quantile(nonconformity: FloatArray, coverage: float) -> float:
    """Return the ⌈(n + 1) · coverage⌉-th smallest of n scores; infinity if there are too few.

    Parameters
    ----------
    nonconformity
        One minus the score of the true class, of one image per lesion, (n,).
    coverage
        Fraction of new images whose set should contain the true class, between 0 and 1.
    """
    rank = math.ceil((len(nonconformity) + 1) * coverage - 1e-9)  # 0.9 · 10 is 9 in spite of rounding errors
    if rank > len(nonconformity):
        return math.inf
    return float(np.partition(nonconformity, rank - 1)[rank - 1])


def min_images(coverage: float) -> int:
    """Return the number of images from which the quantile of a coverage is finite: 9 for 0.9 and 19 for 0.95."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def prediction_sets(scores: FloatArray, quantiles: FloatArray) -> BoolArray:
    """Return whether each class is in the set of each image: whether one minus its score is at most its quantile.

    Parameters
    ----------
    scores
        Scores, (n, k).
    quantiles
        Quantile of each class, (k,), the same for all classes if the sets are marginal.
    """
    return np.asarray(1 - scores <= quantiles)


def one_image_per_lesion(lesion_id: StrArray, *, seed: int) -> NDArray[np.intp]:
    """Return the index of one randomly chosen image of each lesion, in ascending order.

    Images of one lesion are not exchangeable with those of new lesions.
    """
    order = np.random.default_rng(seed).permutation(len(lesion_id))
    _, first = np.unique(lesion_id[order], return_index=True)
    return np.sort(order[first])
