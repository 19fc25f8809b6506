"""Spearman's rank correlation, also of weighted observations, and its bootstrap over lesions."""

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.types import FloatArray

CORRELATION_RESAMPLES = 1000


def rank_correlation(
    x: NDArray[np.floating], y: NDArray[np.floating], weights: NDArray[np.floating] | None = None
) -> FloatArray:
    """Return Spearman's rank correlation: that of Pearson between ranks, where ties have their mean rank.

    Parameters
    ----------
    x, y
        Observations, (n,), finite.
    weights
        How often each observation counts, (…, n), 0 or more; default: once.

    Returns
    -------
    ndarray
        Correlations from -1 to 1, (…); NaN where x or y does not vary.

    Examples
    --------
    >>> round(float(rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 9]))), 3)
    0.8
    """
    counts = np.asarray(np.ones(len(x)) if weights is None else weights, dtype=np.float64)
    total = counts.sum(axis=-1)
    centered = [_ranks(values, counts) - ((total + 1) / 2)[..., None] for values in (x, y)]
    covariance = (counts * centered[0] * centered[1]).sum(axis=-1)
    scale = np.sqrt(np.prod([(counts * ranks**2).sum(axis=-1) for ranks in centered], axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(scale > 0, np.clip(covariance / scale, -1, 1), np.nan))


def _ranks(values: NDArray[np.floating], weights: FloatArray) -> FloatArray:
    """Return the mean rank of each value, (…, n), if it is repeated as often as its weight says."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[..., order], starts, axis=-1)
    ranks = np.cumsum(sizes, axis=-1) - (sizes - 1) / 2
    return np.asarray(ranks[..., group])


def bootstrap_rank_correlation(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    lesion_id: NDArray[np.str_],
    *,
    n_resamples: int = CORRELATION_RESAMPLES,
    seed: int = 0,
) -> FloatArray:
    """Return Spearman's rank correlation in bootstrap samples of the lesions, (r,).

    Parameters
    ----------
    x, y
        Observations, (n,), finite.
    lesion_id
        Lesion of each observation, (n,); all observations of a lesion are sampled together.
    n_resamples
        Number of resamples.
    seed
        Random seed of the resamples.
    """
    weights = cluster_bootstrap_weights(lesion_id, n_resamples=n_resamples, seed=seed)
    return np.concatenate([rank_correlation(x, y, chunk) for chunk in weights])
