"""Bootstrap over lesions: all images of a lesion are resampled together, so similar images do not narrow an interval.

Field and Welsh 2007 (cluster bootstrap); Efron and Tibshirani 1993, chapter 13 (percentile interval).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import FloatArray

CHUNK_SIZE = 1_000_000  # image weights in memory at a time: 8 MB for each array that a metric needs

ROUNDING_TOLERANCE = 1e-12  # resampled values that differ by less are equal


class Interval(NamedTuple):
    """Bounds of a percentile interval, and the fraction of resamples in which the metric is undefined."""

    low: float
    high: float
    undefined_fraction: float


def cluster_bootstrap_weights(
    lesion_id: NDArray[Any],
    *,
    n_resamples: int,
    seed: int,
    strata: NDArray[Any] | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[FloatArray]:
    """Sample as many lesions as there are, with replacement, and yield how often each image counts.

    Parameters
    ----------
    lesion_id
        Lesion of each image, (n,).
    n_resamples
        Number of resamples.
    seed
        Random seed; the samples do not depend on ``chunk_size``.
    strata
        Stratum of each image, (n,), such as its class: each resample has as many lesions of each stratum as there are.
        The stratum of a lesion is that of its first image. Default: sample from all lesions together.
    chunk_size
        Approximate number of weights to yield at a time.

    Yields
    ------
    Weights of some resamples, (r, n), until there are ``n_resamples`` rows.
    """
    _, first, member = np.unique(lesion_id, return_index=True, return_inverse=True)
    n_lesions = len(first)
    lesion_strata = np.zeros(n_lesions) if strata is None else np.asarray(strata)[first]
    groups = [np.flatnonzero(lesion_strata == stratum) for stratum in np.unique(lesion_strata)]
    rng = np.random.default_rng(seed)
    rows = max(1, chunk_size // len(member))
    for start in range(0, n_resamples, rows):
        counts = [
            np.bincount(
                np.concatenate([_sample_with_replacement(group, rng) for group in groups]),
                minlength=n_lesions,
            )
            for _ in range(start, min(start + rows, n_resamples))
        ]
        yield np.stack(counts)[:, member].astype(np.float64)


def _sample_with_replacement(group: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Sample as many members of a group as it has, with replacement."""
    return group[rng.integers(len(group), size=len(group))]


def percentile_interval(values: FloatArray, *, confidence: float = 0.95) -> Interval:
    """Return the central ``confidence`` of the resampled values, (r,), that are defined.

    Both bounds are NaN if no value is defined, and if they are equal: an interval of width zero claims that the value
    is known exactly.
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(np.nan, np.nan, 1.0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    if high - low < ROUNDING_TOLERANCE:
        low = high = np.nan
    return Interval(float(low), float(high), 1 - len(defined) / len(values))


def remove_bias(resampled: FloatArray, value: FloatArray | float) -> FloatArray:
    """Return resampled values, (r,), moved so that their mean is the value of the sample.

    An error that is measured in bins is larger in a resample than in the sample: the errors of the sample count as true
    ones there (Efron and Tibshirani 1993, chapter 10).
    """
    if np.isnan(resampled).all():
        return resampled
    return np.asarray(resampled - (np.nanmean(resampled) - value))


def bias_corrected_interval(
    value: FloatArray | float, resampled: FloatArray, *, confidence: float = 0.95
) -> Interval:
    """Return the interval of a value from 0 to 1 whose resampled values, (r,), are too large.

    The upper bound is that of the values without bias. The lower bound is as far from ``value`` as the upper bound of
    the resampled values if that is farther: near 0 the resampled values vary too little. Bounds are NaN as for
    `percentile_interval`.
    """
    biased = percentile_interval(resampled, confidence=confidence)
    centered = percentile_interval(remove_bias(resampled, value), confidence=confidence)
    low, high = np.clip([min(centered.low, 2 * value - biased.high), centered.high], 0, 1)
    if not high - low >= ROUNDING_TOLERANCE:
        low = high = np.nan
    return Interval(float(low), float(high), biased.undefined_fraction)


def combine_intervals(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the interval of first − second, from value, low and high of two independent quantities.

    Zou and Donner 2008 (method of variance estimates recovery): the bounds need not be symmetric about the values.

    Examples
    --------
    >>> combine_intervals((5.0, 2.0, 9.0), (1.0, 0.0, 5.0))
    (-1.0, 8.123105625617661)
    """
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    below = math.hypot(a - a_low, b_high - b)
    above = math.hypot(a_high - a, b - b_low)
    return a - b - below, a - b + above
